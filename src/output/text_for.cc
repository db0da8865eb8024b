#include "output/text_for.h"

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

}  // namespace headroom::output
