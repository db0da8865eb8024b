#include "app/output/text_for.h"

#include <algorithm>

#include "base/text.h"

namespace headroom::output {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

std::string Joined(std::string_view text) {
  std::string joined;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && IsBlank(text[end])) ++end;
    const std::string_view blanks = text.substr(i, end - i);
    if (blanks.find('\n') == std::string_view::npos) {
      joined += blanks;
      if (end < text.size()) joined += text[end];
      i = end + 1;
    } else {
      if (end < text.size() && !joined.empty()) joined += ' ';
      i = end;
    }
  }
  return joined;
}

}  // namespace

std::string TextFor(std::string_view text, Newlines newlines) {
  std::string unix_lines(text);
  for (std::size_t at = 0; (at = unix_lines.find("\r\n", at)) != std::string::npos;)
    unix_lines.erase(at, 1);
  std::string clean = Printable(unix_lines);
  return newlines == Newlines::kSpace ? Joined(clean) : clean;
}

std::vector<std::string> KeyLines(std::string_view text, Newlines newlines) {
  std::string clean = TextFor(text, newlines);
  std::ranges::replace(clean, '\t', ' ');
  return Split(clean, '\n');
}

std::optional<int> BackspacesFor(std::string_view text) {
  int count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const unsigned lead = byte(i);
    if (lead < 0x20 || lead >= 0xF0) return std::nullopt;
    if ((lead & 0xC0) == 0x80) continue;                                       // continuation byte
    const bool accent = lead == 0xCC || (lead == 0xCD && byte(i + 1) < 0xB0);  // U+0300 to U+036F
    // U+200B to U+200F join or divide; U+FE00 to U+FE0F choose a form.
    const bool unseen = lead == 0xE2 && byte(i + 1) == 0x80 && byte(i + 2) - 0x8B <= 4U;
    const bool form = lead == 0xEF && byte(i + 1) == 0xB8 && byte(i + 2) < 0x90;
    if (accent || unseen || form) return std::nullopt;
    ++count;
  }
  return count > 0 ? std::optional(count) : std::nullopt;
}

}  // namespace headroom::output
