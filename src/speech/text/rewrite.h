// From what was said to what is written: spoken commands ("comma", "new line", "scratch that"),
// numbers as digits, the user's vocabulary and replacements, in this order. docs/dictation.md.
//
// A phrase of the table is taken as a command unless its surroundings say that it is meant as
// words: after an article, beside one of the words that its row names, or, for rows marked so, when
// nothing sets it off. Punctuation that the recogniser put around a command gives way to the
// command's. What is touched by none of this stays as it is, but for white space. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "speech/text/rewrite_table.h"
#include "speech/text/vocabulary.h"

namespace headroom::speech {

struct RewriteOptions {
  bool commands = true;
  bool digits = true;
  std::map<std::string, std::string> own_commands{};  // phrase -> what is written
  std::vector<std::string> vocabulary{};
  std::map<std::string, std::string> replacements{};  // phrase -> what is written instead
};

struct Rewritten {
  std::string text{};             // may end with a line break
  bool scratch_previous = false;  // "scratch that" before anything else: the utterance before it
};

class Rewriter {
 public:
  /// Own commands and replacements that cannot be spoken are ignored.
  Rewriter(RewriteTable table, const RewriteOptions& options);

  /// `text`: UTF-8 of one utterance.
  Rewritten Rewrite(std::string_view text) const;

 private:
  struct Piece;
  std::vector<Piece> Words(std::string_view text) const;
  void FindCommands(std::vector<Piece>& pieces) const;
  const SpokenCommand* CommandAt(const std::vector<Piece>& words, std::size_t at,
                                 std::size_t* length) const;
  bool IsMeant(const SpokenCommand& command, const Piece* previous, const std::vector<Piece>& words,
               std::size_t at, std::size_t length) const;
  void FindVocabulary(std::vector<Piece>& pieces) const;
  void Replace(std::vector<Piece>& pieces) const;
  static Rewritten Write(const std::vector<Piece>& pieces);

  RewriteTable table_;
  bool digits_ = true;
  Vocabulary vocabulary_;
  std::map<std::string, std::string> replacements_;  // by the folded phrase
  std::size_t longest_replacement_ = 0;              // words
};

}  // namespace headroom::speech
