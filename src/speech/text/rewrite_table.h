// The spoken commands and numbers of one language, as data: docs/dictation.md. Shipped tables
// lie in share/headroom/dictation/<language>.toml; a user's file of the same name in the
// configuration folder adds to them and may take away.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headroom::speech {

enum class SpokenAction {
  kWrite,    // `write` is put down
  kCapital,  // the next word begins with a capital
  kAllCaps,  // the next word is in capitals
  kCapsOn,   // all words are in capitals, until
  kCapsOff,
  kLiteral,  // the command that follows is written as words
  kNoSpace,  // no space here
  kScratch,  // what was said so far in this utterance is dropped
};

/// Where what is written has no space beside it.
enum class Joins { kNone, kLeft, kRight, kBoth };

struct SpokenCommand {
  SpokenAction action = SpokenAction::kWrite;
  std::string write{};
  Joins joins = Joins::kNone;
  bool noun = true;                    // never a command after an article
  bool set_off = false;                // only at the end, beside punctuation or another command
  std::set<std::string> not_after{};   // words before it with which it is no command, folded
  std::set<std::string> not_before{};  // words after it, folded
};

struct NumberWords {
  std::map<std::string, int> ones{};             // 0 to 19
  std::map<std::string, int> tens{};             // 20, 30, … 90
  std::map<std::string, std::int64_t> scales{};  // 100, 1000, 1000000, …
  std::set<std::string> unit_joins{};            // "und" in einundzwanzig: before the tens
  std::set<std::string> scale_joins{};           // "and" in one hundred and five
  std::set<std::string> points{};                // "point", "Komma"
  std::string decimal = ".";
  std::set<std::string> percents{};  // "percent"
  std::string percent = "%";
  std::set<std::string> not_before{};  // words before which they stay words: "first"
  bool years = false;                  // "nineteen eighty four" is 1984
};

struct RewriteTable {
  std::string language{};
  std::map<std::string, SpokenCommand> commands{};  // by the folded phrase
  std::size_t longest = 0;                          // words in the longest phrase
  std::set<std::string> articles{};
  bool capital_sets_off = false;  // a capital after a command means that a sentence begins
  NumberWords numbers{};

  /// Adds a command or replaces the one of that phrase; nothing to write takes it away. The phrase
  /// must have a letter or digit.
  Result<> Set(std::string_view phrase, SpokenCommand command);
};

/// What a command with this text joins when it does not say: nothing but closing punctuation to the
/// left, nothing but opening to the right, white space on the side where it is, all else to none.
Joins JoinsOf(std::string_view write);

/// Reads TOML over `table`. kInvalid names file and line.
Result<> ReadRewriteTable(std::string_view text, const std::string& origin, RewriteTable& table);

/// The shipped table of an ISO 639-1 language and the user's. Without both: an empty one.
Result<RewriteTable> LoadRewriteTable(const std::string& language);

}  // namespace headroom::speech
