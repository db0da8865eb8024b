// Word error rate: substitutions, insertions and deletions (Levenshtein) over the words that were
// said. Capitals and punctuation do not count, and a hyphen is a space. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headroom::evaluation {

struct WordErrors {
  std::size_t wrong = 0;
  std::size_t said = 0;  // words of the transcript

  WordErrors& operator+=(const WordErrors& other);
  /// Can be above 100; 0 when nothing was said and nothing heard.
  double percent() const;
};

std::vector<std::string> SpokenWords(std::string_view text);

WordErrors CompareWords(std::string_view said, std::string_view heard);

}  // namespace headroom::evaluation
