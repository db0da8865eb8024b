#include "speech/text/vocabulary.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "speech/text/phonetic.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

// The part of the letters that may differ, by the number of sounds.
double Allowed(std::size_t sounds) {
  return sounds < 3 ? 0.0 : sounds == 3 ? 0.2 : sounds == 4 ? 0.34 : 0.47;
}

constexpr std::size_t kSoundsForOneOff = 6;

}  // namespace

Vocabulary::Vocabulary(const std::vector<std::string>& entries, std::string_view language)
    : language_(language) {
  for (const std::string& text : entries) {
    const std::string folded = Fold(text);
    if (folded.empty()) continue;
    Entry entry{.text = std::string(Trim(text)),
                .letters = folded,
                .code = {},
                .words = static_cast<std::size_t>(std::ranges::count(folded, ' ')) + 1};
    std::erase(entry.letters, ' ');
    entry.code = PhoneticCode(entry.letters, language_);
    most_words_ = std::max(most_words_, entry.words + 1);
    entries_.push_back(std::move(entry));
  }
}

std::optional<Vocabulary::Match> Vocabulary::Find(std::span<const std::string> words) const {
  std::optional<Match> best;
  std::tuple<double, std::size_t> best_rank;  // less is better
  std::string letters;
  for (std::size_t taken = 1; taken <= std::min(words.size(), most_words_); ++taken) {
    letters += words[taken - 1];
    const std::string code = PhoneticCode(letters, language_);
    for (const Entry& entry : entries_) {
      if (taken > entry.words + 1 || taken + 1 < entry.words) continue;
      double distance = 0;
      if (letters != entry.letters) {
        const std::size_t sounds = entry.code.size();
        const bool alike = code == entry.code ||
                           (sounds >= kSoundsForOneOff && EditDistance(code, entry.code) <= 1);
        if (!alike) continue;
        distance = static_cast<double>(EditDistance(letters, entry.letters)) /
                   static_cast<double>(std::max(letters.size(), entry.letters.size()));
        if (distance > Allowed(sounds)) continue;
      }
      const std::tuple rank(distance, words.size() - taken);
      if (best && rank >= best_rank) continue;
      best = Match{taken, entry.text};
      best_rank = rank;
    }
  }
  return best;
}

}  // namespace headroom::speech
