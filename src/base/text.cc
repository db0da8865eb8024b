#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace headroom {
namespace {

char Lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return Lower(c); });
  return lower;
}

// Length of the valid UTF-8 sequence at the front of `s` (Unicode 15, table 3-7), 0 if there is
// none.
std::size_t SequenceLength(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(s[i]); };
  const std::uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const std::uint8_t second = at(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

}  // namespace

std::size_t EditDistance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: two back, one back, current.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const char x = Lower(a[i - 1]), y = Lower(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (x == y ? 0 : 1)});
      if (i > 1 && j > 1 && x == Lower(b[j - 2]) && y == Lower(a[i - 2]))
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::vector<std::string> NearestNames(std::string_view word,
                                      const std::vector<std::string>& candidates,
                                      std::size_t most) {
  struct Near {
    std::size_t distance;
    std::string name;
  };
  std::vector<Near> near;
  const std::string wanted = Lower(word);
  for (const std::string& candidate : candidates) {
    std::size_t distance = EditDistance(word, candidate);
    const std::string lower = Lower(candidate);
    if (wanted.size() >= 3 && lower.find(wanted) != std::string::npos)
      distance = std::min<std::size_t>(distance, lower.starts_with(wanted) ? 1 : 2);
    if (distance <= std::max<std::size_t>(2, word.size() / 3))
      near.push_back({distance, candidate});
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const Near& a, const Near& b) { return a.distance < b.distance; });
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(most, near.size()); ++i) names.push_back(near[i].name);
  return names;
}

std::string Printable(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t length = SequenceLength(bytes);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      bytes.remove_prefix(1);
      continue;
    }
    const char c = bytes[0];
    const auto second = bytes.size() > 1 ? static_cast<std::uint8_t>(bytes[1]) : std::uint8_t{0};
    const bool c0 = length == 1 && (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F);
    const bool c1 = length == 2 && static_cast<std::uint8_t>(c) == 0xC2 && second < 0xA0;
    if ((c0 && c != '\n' && c != '\t') || c1)
      out += ' ';
    else
      out += bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  return out;
}

std::vector<std::string> Split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace headroom
