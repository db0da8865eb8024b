#include "speech/text/token_times.h"

#include <algorithm>
#include <cmath>

namespace headroom::speech {
namespace {

// A stretch of letters and the time they take; letters are counted from the start of the segment.
struct Stretch {
  double begin, end;  // letters
  Milliseconds from, to;
};

std::vector<Stretch> StretchesOf(const Segment& segment, double letters) {
  std::vector<Stretch> stretches;
  double at = 0;
  for (const Word& word : segment.words) {
    std::size_t length = 0;
    for (const Token& token : Tokenise(word.text)) length += token.folded.size();
    if (length == 0) continue;
    stretches.push_back({at, at + static_cast<double>(length), word.start, word.end});
    at = stretches.back().end;
  }
  if (at == 0) return {{0, letters, segment.start, segment.end}};
  // The words may spell a little differently from the text.
  for (Stretch& stretch : stretches) stretch.begin *= letters / at, stretch.end *= letters / at;
  return stretches;
}

Milliseconds Within(const Stretch& stretch, double letter) {
  const double share =
      std::clamp((letter - stretch.begin) / (stretch.end - stretch.begin), 0.0, 1.0);
  const auto length = static_cast<double>((stretch.to - stretch.from).count());
  return stretch.from + Milliseconds(std::llround(share * length));
}

}  // namespace

std::vector<TokenTime> TimesOf(const std::vector<Token>& tokens, const Segment& segment) {
  double letters = 0;
  for (const Token& token : tokens) letters += static_cast<double>(token.folded.size());
  std::vector<TokenTime> times(tokens.size(), {segment.start, segment.end});
  if (letters == 0) return times;
  const auto stretches = StretchesOf(segment, letters);
  constexpr double kNear = 1e-6;  // sums of doubles
  std::size_t first = 0, last = 0;
  double at = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    while (first + 1 < stretches.size() && stretches[first].end <= at + kNear) ++first;
    times[i].start = Within(stretches[first], at);
    at += static_cast<double>(tokens[i].folded.size());
    while (last + 1 < stretches.size() && stretches[last].end < at - kNear) ++last;
    times[i].end = std::max(times[i].start, Within(stretches[last], at));
  }
  return times;
}

}  // namespace headroom::speech
