#include "speech/text/agreement.h"

#include <algorithm>

#include "base/text.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

// Costs of the alignment of committed words with a hypothesis. A word heard differently costs less
// than one left out and one put in.
constexpr int kGap = 2, kDifferent = 2, kAlike = 1;

int CostOf(std::string_view a, std::string_view b) {
  if (a == b) return 0;
  const std::size_t shorter = std::min(a.size(), b.size());
  const bool alike = shorter >= 4 && EditDistance(a, b) <= shorter / 4;
  return alike ? kAlike : kDifferent;
}

}  // namespace

std::vector<Agreement::Word> Agreement::WordsOf(std::string_view text) {
  std::vector<Word> words;
  for (const Token& token : Tokenise(text)) {
    words.push_back({.folded = token.folded,
                     .text = std::string(token.text.substr(0, token.core_end)),
                     .closing = std::string(token.text.substr(token.core_end)),
                     .space = token.space_before});
  }
  return words;
}

Partial Agreement::Update(std::string_view text) {
  std::vector<Word> words = WordsOf(text);
  const std::size_t from = FirstNew(words);
  const std::size_t sure = last_.size() - std::min(unsure_, last_.size());
  std::size_t agreed = 0;
  while (agreed < sure && from + agreed < words.size() && !words[from + agreed].folded.empty() &&
         words[from + agreed].folded == last_[agreed].folded)
    ++agreed;
  for (std::size_t i = from; i < from + agreed; ++i) {
    if (i > 0 && !committed_.empty()) committed_ += words[i - 1].closing;
    if (words[i].space && !committed_.empty()) committed_ += ' ';
    committed_ += words[i].text;
    folded_.push_back(words[i].folded);
  }
  const std::size_t next = from + agreed;
  Partial partial{.committed = committed_, .tentative = Rest(words, next)};
  last_.assign(std::make_move_iterator(words.begin() + static_cast<std::ptrdiff_t>(next)),
               std::make_move_iterator(words.end()));
  return partial;
}

std::string Agreement::Final(std::string_view text) {
  const std::vector<Word> words = WordsOf(text);
  std::string final_text = committed_ + Rest(words, FirstNew(words));
  Reset();
  return final_text;
}

void Agreement::Reset() {
  committed_.clear();
  folded_.clear();
  last_.clear();
}

// Where in `words` the committed ones end: the end of the prefix that is nearest to them.
std::size_t Agreement::FirstNew(const std::vector<Word>& words) const {
  std::vector<int> row(words.size() + 1);
  for (std::size_t j = 0; j <= words.size(); ++j) row[j] = static_cast<int>(j) * kGap;
  for (const std::string& committed : folded_) {
    int diagonal = row[0];
    row[0] += kGap;
    for (std::size_t j = 1; j <= words.size(); ++j) {
      const int cost = diagonal + CostOf(committed, words[j - 1].folded);
      diagonal = row[j];
      row[j] = std::min({cost, row[j] + kGap, row[j - 1] + kGap});
    }
  }
  std::size_t best = 0;
  for (std::size_t j = 1; j <= words.size(); ++j)
    if (row[j] <= row[best]) best = j;
  return best;
}

// What is shown after the committed text: the punctuation of its last word, then the words.
std::string Agreement::Rest(const std::vector<Word>& words, std::size_t from) const {
  std::string rest;
  if (from > 0 && !committed_.empty()) rest += words[from - 1].closing;
  for (std::size_t i = from; i < words.size(); ++i) {
    if (words[i].space && (!committed_.empty() || !rest.empty())) rest += ' ';
    rest += words[i].text + words[i].closing;
  }
  return rest;
}

bool MayStartPartial(const PartialPace& pace, Milliseconds since_last_start, Milliseconds audio,
                     double decode_seconds_per_second, Milliseconds decode_fixed) {
  if (since_last_start < pace.interval || audio < pace.least) return false;
  const double takes = static_cast<double>(decode_fixed.count()) +
                       decode_seconds_per_second * static_cast<double>(audio.count());
  return takes < static_cast<double>(pace.interval.count());  // false for NaN
}

}  // namespace headroom::speech
