// Names and terms that the user expects, found again in a text where the recogniser wrote something
// that sounds the same: "cooper netties" is Kubernetes.
//
// Conservative, for a wrong replacement is worse than none. A run of words becomes an entry when,
// written together and without case, it is the entry; or when it sounds the same (phonetic.h) and
// is spelled nearly so. How nearly depends on how much the sound says: entries with less than three
// sounds are only found exactly, with three a fifth of the letters may differ, with four a third,
// with five or more not quite half; with six sounds and more, one of them may differ, too. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::speech {

class Vocabulary {
 public:
  /// `entries` as they are to be written; what has no letters is ignored.
  Vocabulary(const std::vector<std::string>& entries, std::string_view language);

  struct Match {
    std::size_t words = 0;  // that it takes
    std::string_view text;  // the entry; valid as long as this object
  };
  /// The entry with which `words` (folded, with nothing but spaces between) begins: an exact one
  /// before one that sounds like it, then the nearest, then the one that takes more words.
  std::optional<Match> Find(std::span<const std::string> words) const;

  bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    std::string text;
    std::string letters;  // folded, without spaces
    std::string code;
    std::size_t words;
  };
  std::vector<Entry> entries_;
  std::size_t most_words_ = 0;  // to look at
  std::string language_;
};

}  // namespace headroom::speech
