#include "app/evaluation/word_errors.h"

#include <algorithm>
#include <numeric>

#include "speech/text/words.h"

namespace headroom::evaluation {

WordErrors& WordErrors::operator+=(const WordErrors& other) {
  wrong += other.wrong;
  said += other.said;
  return *this;
}

double WordErrors::percent() const {
  if (said == 0) return wrong == 0 ? 0 : 100;
  return 100 * static_cast<double>(wrong) / static_cast<double>(said);
}

std::vector<std::string> SpokenWords(std::string_view text) {
  std::string spaced(text);
  std::ranges::replace(spaced, '-', ' ');
  std::vector<std::string> words;
  for (speech::Token& token : speech::Tokenise(spaced))
    if (!token.folded.empty()) words.push_back(std::move(token.folded));
  return words;
}

WordErrors CompareWords(std::string_view said, std::string_view heard) {
  const std::vector<std::string> from = SpokenWords(said), to = SpokenWords(heard);
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t substituted = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return {.wrong = row.back(), .said = from.size()};
}

}  // namespace headroom::evaluation
