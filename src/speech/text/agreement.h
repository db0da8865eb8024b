// Live text that does not flicker: of what a recogniser says about an utterance while it is still
// being spoken, the words that can be shown as certain.
//
// LocalAgreement-2 (Liu et al., "Low-Latency Sequence-to-Sequence Speech Recognition and
// Translation by Partial Hypothesis Selection", 2020): a word is committed once two successive
// hypotheses agree on it and on all before it. Words are compared folded (words.h), so case and
// punctuation may differ; a committed word keeps the spelling of the later hypothesis. The last
// words of a hypothesis were heard without what follows them, and are often taken for others twice
// in a row: `unsure` of them are not compared.
//
// Guarantees: the committed text of an utterance only ever grows at its end, byte for byte, and the
// final text begins with it. To that end the punctuation after a word is committed with the word
// that follows.
//
// Every hypothesis is of the whole utterance so far. Where it says something else than the
// committed words, it is aligned with them by words (edit distance; of equally good alignments the
// one that takes most of it): what stands against committed words is dropped, what follows counts.
// Pure; belongs to one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace headroom::speech {

struct Partial {
  std::string committed;
  std::string tentative;  // follows; begins with its space or punctuation
  std::string text() const { return committed + tentative; }
};

class Agreement {
 public:
  explicit Agreement(std::size_t unsure = 0) : unsure_(unsure) {}

  /// Another hypothesis. What is to be shown now.
  Partial Update(std::string_view text);
  /// The text of the whole utterance, which may change only what is not committed. Ends the
  /// utterance; the next Update begins another.
  std::string Final(std::string_view text);
  /// Forgets the utterance.
  void Reset();

 private:
  struct Word {
    std::string folded;
    std::string text;     // up to its closing punctuation
    std::string closing;  // that punctuation
    bool space = false;   // before it
  };
  static std::vector<Word> WordsOf(std::string_view text);
  std::size_t FirstNew(const std::vector<Word>& words) const;
  std::string Rest(const std::vector<Word>& words, std::size_t from) const;

  std::size_t unsure_;
  std::string committed_;
  std::vector<std::string> folded_;  // the committed words
  std::vector<Word> last_;           // of the hypothesis before, what was not committed
};

/// Whether a partial decode may start now: one is due, and it will end before the next is. So a
/// slow machine shows no partial text rather than a late one, and long utterances stop showing it.
struct PartialPace {
  Milliseconds interval{1000};  // between two starts
  Milliseconds least{800};      // less audio is not worth it
};
bool MayStartPartial(const PartialPace& pace, Milliseconds since_last_start, Milliseconds audio,
                     double decode_seconds_per_second, Milliseconds decode_fixed = Milliseconds(0));

}  // namespace headroom::speech
