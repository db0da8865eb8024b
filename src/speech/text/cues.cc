#include "speech/text/cues.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "speech/text/token_times.h"
#include "speech/text/unicode.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

constexpr Milliseconds kLongGap(1000);  // between two words: the caption goes away

// What is never broken: a word, or a piece of one that is longer than a line.
struct Unit {
  std::string text;
  std::size_t columns;
  bool space_before;
  Milliseconds start, end;
};
using Units = std::vector<Unit>;

// Pieces of at most a line each.
std::vector<std::string> Pieces(std::string_view text) {
  std::vector<std::string> pieces(1);
  std::size_t columns = 0;
  while (!text.empty()) {
    const char32_t c = TakeCodePoint(text);
    const auto width = static_cast<std::size_t>(ColumnsOf(c));
    if (columns + width > kCaptionColumns) {
      pieces.emplace_back();
      columns = 0;
    }
    AppendCodePoint(c, pieces.back());
    columns += width;
  }
  return pieces;
}

Units UnitsOf(const Segment& segment) {
  Segment clean = segment;
  clean.text = OneLine(segment.text);
  const auto tokens = Tokenise(clean.text);
  const auto times = TimesOf(tokens, clean);
  Units units;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto pieces = Pieces(tokens[i].text);
    const auto [start, end] = times[i];
    const auto count = static_cast<std::int64_t>(pieces.size());
    for (std::int64_t k = 0; k < count; ++k) {
      const std::string& piece = pieces[static_cast<std::size_t>(k)];
      units.push_back({piece, Columns(piece), k == 0 && tokens[i].space_before,
                       start + (end - start) * k / count, start + (end - start) * (k + 1) / count});
    }
  }
  return units;
}

std::size_t Width(const Units& units, std::size_t begin, std::size_t end) {
  std::size_t columns = 0;
  for (std::size_t i = begin; i < end; ++i)
    columns += units[i].columns + (i > begin && units[i].space_before ? 1 : 0);
  return columns;
}

std::string Line(const Units& units, std::size_t begin, std::size_t end) {
  std::string line;
  for (std::size_t i = begin; i < end; ++i) {
    if (i > begin && units[i].space_before) line += ' ';
    line += units[i].text;
  }
  return line;
}

// How good it is to break after a unit: 2 a sentence ends, 1 a clause ends, 0 neither.
int BreakAfter(const Unit& unit) {
  if (EndsSentence(unit.text)) return 2;
  constexpr std::string_view kClauseEnds[] = {",", ";", ":", "—", "、", "，", "；", "：", "،"};
  return std::any_of(std::begin(kClauseEnds), std::end(kClauseEnds),
                     [&](std::string_view end) { return unit.text.ends_with(end); });
}

// Where the second line begins; `end` when one line is enough, nullopt when two are not.
std::optional<std::size_t> SecondLine(const Units& units, std::size_t begin, std::size_t end) {
  if (Width(units, begin, end) <= kCaptionColumns) return end;
  std::optional<std::size_t> best;
  std::size_t best_cost = 0;
  for (std::size_t middle = begin + 1; middle < end; ++middle) {
    const std::size_t first = Width(units, begin, middle), second = Width(units, middle, end);
    if (first > kCaptionColumns) break;
    if (second > kCaptionColumns) continue;
    // Even lines; the end of a clause is worth eight columns of unevenness.
    const std::size_t uneven = first > second ? first - second : second - first;
    const std::size_t cost = uneven + (BreakAfter(units[middle - 1]) > 0 ? 0 : 8);
    if (!best || cost < best_cost) best = middle, best_cost = cost;
  }
  return best;
}

// The end of the cue that begins with unit `begin`.
std::size_t CueEnd(const Units& units, std::size_t begin) {
  std::size_t end = begin + 1;
  for (; end < units.size(); ++end) {
    if (units[end].start - units[end - 1].end >= kLongGap) return end;
    if (!SecondLine(units, begin, end + 1)) break;
  }
  if (end == units.size()) return end;
  // Full: rather end with a sentence or a clause, if that leaves at least half of it.
  const std::size_t half = Width(units, begin, end) / 2;
  for (int quality = 2; quality >= 1; --quality) {
    for (std::size_t at = end; at > begin && Width(units, begin, at) >= half; --at) {
      if (BreakAfter(units[at - 1]) >= quality) return at;
    }
  }
  return end;
}

}  // namespace

std::vector<Cue> CuesOf(const Segment& segment, Milliseconds not_before) {
  const Units units = UnitsOf(segment);
  std::vector<Cue> cues;
  for (std::size_t begin = 0; begin < units.size();) {
    const std::size_t end = CueEnd(units, begin);
    const std::size_t middle = SecondLine(units, begin, end).value_or(end);
    Cue cue{
        .start = std::max(units[begin].start, not_before), .end = units[end - 1].end, .lines = {}};
    cue.end = std::max(cue.end, cue.start + Milliseconds(1));
    cue.lines.push_back(Line(units, begin, middle));
    if (middle < end) cue.lines.push_back(Line(units, middle, end));
    not_before = cue.end;
    cues.push_back(std::move(cue));
    begin = end;
  }
  return cues;
}

}  // namespace headroom::speech
