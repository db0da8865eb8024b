#include "speech/text/stitch.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "speech/text/token_times.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

// Scores of the alignment. One match pays for one word left over, two matches for three, or for two
// and one that was heard differently.
enum class Likeness : int { kSame = 4, kAlike = 3, kDifferent = -3 };
constexpr int kGap = -2;
constexpr int kLeastScore = 1, kLeastScoreOfOne = 2;
constexpr Milliseconds kSameTime(1000);  // word times of two runs differ by less

bool HasDigit(std::string_view word) {
  return word.find_first_of("0123456789") != std::string_view::npos;
}

// `last` and `first`: the words at the seam, which may be cut in half.
Likeness Compare(const SeamWord& a, const SeamWord& b, bool last, bool first) {
  if (a.folded.empty() || b.folded.empty()) return Likeness::kDifferent;
  if (a.middle && b.middle &&
      (*a.middle > *b.middle + kSameTime || *b.middle > *a.middle + kSameTime))
    return Likeness::kDifferent;
  if (a.folded == b.folded) return Likeness::kSame;
  if (HasDigit(a.folded) || HasDigit(b.folded)) return Likeness::kDifferent;
  if (last && a.folded.size() >= 3 && b.folded.starts_with(a.folded)) return Likeness::kAlike;
  if (first && b.folded.size() >= 3 && a.folded.ends_with(b.folded)) return Likeness::kAlike;
  const std::size_t shorter = std::min(a.folded.size(), b.folded.size());
  const std::size_t allowed = shorter >= 8 ? 2 : shorter >= 4 ? 1 : 0;
  if (allowed == 0 || std::max(a.folded.size(), b.folded.size()) > shorter + allowed)
    return Likeness::kDifferent;
  return EditDistance(a.folded, b.folded) <= allowed ? Likeness::kAlike : Likeness::kDifferent;
}

int Score(Likeness likeness) {
  return static_cast<int>(likeness);
}

struct Pair {
  std::size_t previous, next;
  Likeness likeness;
};

// The words that the best alignment of an end of `previous` with a beginning of `next` puts
// together, from the last to the first; empty when none is good enough.
std::vector<Pair> Align(std::span<const SeamWord> previous, std::span<const SeamWord> next) {
  const std::size_t m = previous.size(), n = next.size();
  const auto likeness = [&](std::size_t i, std::size_t j) {
    return Compare(previous[i], next[j], i + 1 == m, j == 0);
  };
  // best[i][j]: some previous[k, i) with next[0, j).
  std::vector<std::vector<int>> best(m + 1, std::vector<int>(n + 1, 0));
  std::vector<std::vector<Likeness>> like(m, std::vector<Likeness>(n));
  for (std::size_t j = 1; j <= n; ++j) best[0][j] = best[0][j - 1] + kGap;
  for (std::size_t i = 1; i <= m; ++i) {
    for (std::size_t j = 1; j <= n; ++j) {
      like[i - 1][j - 1] = likeness(i - 1, j - 1);
      best[i][j] = std::max({best[i - 1][j - 1] + Score(like[i - 1][j - 1]), best[i - 1][j] + kGap,
                             best[i][j - 1] + kGap});
    }
  }
  std::size_t i = 0, j = 0;
  int top = kLeastScore - 1;
  for (std::size_t a = 1; a <= m; ++a) {
    for (std::size_t b = 1; b <= n; ++b) {
      const int score = best[a][b] + static_cast<int>(m - a) * kGap;
      if (score > top) top = score, i = a, j = b;
    }
  }
  std::vector<Pair> pairs;
  while (i > 0 && j > 0) {
    const Likeness here = like[i - 1][j - 1];
    if (best[i][j] == best[i - 1][j - 1] + Score(here)) {
      --i, --j;
      if (here != Likeness::kDifferent) pairs.push_back({i, j, here});
    } else if (best[i][j] == best[i - 1][j] + kGap) {
      --i;
    } else {
      --j;
    }
  }
  if (pairs.size() == 1 && top < kLeastScoreOfOne) pairs.clear();
  return pairs;
}

// A text's tokens, where they are, and what the alignment needs of them.
struct Seamed {
  struct Place {
    std::size_t segment;
    Token token;
    TokenTime time;
  };
  std::vector<Place> places;
  std::vector<SeamWord> words;
};

Seamed SeamedOf(const std::vector<Segment>& segments) {
  Seamed seamed;
  for (std::size_t k = 0; k < segments.size(); ++k) {
    auto tokens = Tokenise(segments[k].text);
    const auto times = TimesOf(tokens, segments[k]);
    for (std::size_t i = 0; i < tokens.size(); ++i)
      seamed.places.push_back({k, std::move(tokens[i]), times[i]});
  }
  for (const auto& place : seamed.places) {
    SeamWord word{.folded = place.token.folded, .middle = {}};
    if (!segments[place.segment].words.empty())
      word.middle = (place.time.start + place.time.end) / 2;
    seamed.words.push_back(word);
  }
  return seamed;
}

std::string_view ClosingOf(const Token& token) {
  return token.text.substr(token.core_end);
}

Milliseconds MiddleOf(const Word& word) {
  return (word.start + word.end) / 2;
}

// Ends `segments` after `last`; its closing punctuation becomes `closing`.
void CutAfter(std::vector<Segment>& segments, const Seamed::Place& last, std::string_view closing) {
  segments.resize(last.segment + 1);
  Segment& segment = segments.back();
  const auto offset = static_cast<std::size_t>(last.token.text.data() - segment.text.data());
  const std::string text =
      segment.text.substr(0, offset + last.token.core_end) + std::string(closing);
  const bool whole = last.time.end >= segment.end;
  segment.text = text;
  if (whole) return;
  segment.end = last.time.end;
  std::erase_if(segment.words, [&](const Word& word) { return MiddleOf(word) >= segment.end; });
}

// Begins `segments` with `first`.
void CutBefore(std::vector<Segment>& segments, const Seamed::Place& first) {
  Segment& segment = segments[first.segment];
  const auto offset = static_cast<std::size_t>(first.token.text.data() - segment.text.data());
  if (offset > 0) {
    segment.start = std::max(segment.start, first.time.start);
    std::erase_if(segment.words, [&](const Word& word) { return MiddleOf(word) < segment.start; });
  }
  segment.text = segment.text.substr(offset);
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(first.segment));
}

void Append(std::vector<Segment>& to, std::vector<Segment> segments) {
  to.insert(to.end(), std::make_move_iterator(segments.begin()),
            std::make_move_iterator(segments.end()));
}

}  // namespace

Seam FindSeam(std::span<const SeamWord> previous, std::span<const SeamWord> next) {
  const auto pairs = Align(previous, next);
  if (pairs.empty()) return {.keep = previous.size()};
  // The same word nearest to the middle of what is shared; else a similar one.
  const auto rank = [&](std::size_t k) {
    const std::size_t from_middle =
        2 * k > pairs.size() - 1 ? 2 * k - (pairs.size() - 1) : (pairs.size() - 1) - 2 * k;
    return std::pair(pairs[k].likeness != Likeness::kSame, from_middle);
  };
  std::size_t chosen = 0;
  for (std::size_t k = 1; k < pairs.size(); ++k) {
    if (rank(k) < rank(chosen)) chosen = k;
  }
  const Pair& pair = pairs[chosen];
  if (pair.likeness == Likeness::kSame)
    return {.keep = pair.previous + 1, .skip = pair.next + 1, .shared = true};
  // Alike only: of a word at the very seam one side may have heard half.
  const bool half =
      pair.previous + 1 == previous.size() &&
      (pair.next > 0 || previous[pair.previous].folded.size() < next[pair.next].folded.size());
  if (half) return {.keep = pair.previous, .skip = pair.next};
  return {.keep = pair.previous + 1, .skip = pair.next + 1};
}

void Stitch(std::vector<Segment>& previous, std::vector<Segment>& next) {
  // The tokens point into the texts, which stay as they are until each side is cut.
  const Seamed before = SeamedOf(previous), after = SeamedOf(next);
  const std::size_t size = before.words.size();
  const std::size_t from = size > kSeamWords ? size - kSeamWords : 0;
  const Seam seam =
      FindSeam(std::span(before.words).subspan(from),
               std::span(after.words).first(std::min(kSeamWords, after.words.size())));
  const std::size_t keep = from + seam.keep;
  const std::string closing(seam.shared ? ClosingOf(after.places[seam.skip - 1].token)
                            : keep > 0  ? ClosingOf(before.places[keep - 1].token)
                                        : "");
  if (keep == 0) {
    previous.clear();
  } else if (keep < size || seam.shared) {
    CutAfter(previous, before.places[keep - 1], closing);
  }
  if (seam.skip == after.places.size()) {
    next.clear();
  } else if (seam.skip > 0) {
    CutBefore(next, after.places[seam.skip]);
  }
  if (!previous.empty() && !next.empty()) {
    // Where times are estimates they may cross at the seam.
    Segment& last = previous.back();
    last.end = std::max(last.start, std::min(last.end, std::max(next.front().start, last.start)));
  }
}

std::string StitchText(std::string_view previous, std::string_view next) {
  std::vector<Segment> first, second;
  if (!Trim(previous).empty()) first.push_back({.text = std::string(Trim(previous)), .words = {}});
  if (!Trim(next).empty()) second.push_back({.text = std::string(Trim(next)), .words = {}});
  Stitch(first, second);
  return JoinTexts(first.empty() ? "" : first[0].text, second.empty() ? "" : second[0].text);
}

std::vector<Segment> Stitcher::Add(std::vector<Segment> segments, bool overlaps, bool forced) {
  std::vector<Segment> ready = std::exchange(pending_, {});
  if (overlaps) Stitch(ready, segments);
  if (forced)
    pending_ = std::move(segments);
  else
    Append(ready, std::move(segments));
  return ready;
}

std::vector<Segment> Stitcher::Finish() {
  return std::exchange(pending_, {});
}

}  // namespace headroom::speech
