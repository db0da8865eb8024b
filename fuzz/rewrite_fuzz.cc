// Any text through any table: it ends, and what comes out is UTF-8. Up to the first zero byte the
// input is a table, then the user's phrases, then what was said.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "speech/text/rewrite.h"
#include "speech/text/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom;
  const auto parts = Split(std::string_view(reinterpret_cast<const char*>(data), size), '\0');
  static const auto kEnglish = speech::LoadRewriteTable("en");
  speech::RewriteTable table{.language = size % 2 != 0 ? "en" : "de"};
  if (!speech::ReadRewriteTable(parts[0], "table", table) && kEnglish) table = *kEnglish;
  speech::RewriteOptions options;
  if (parts.size() > 1) {
    for (const std::string& line : Split(Printable(parts[1]), '\n')) {
      options.vocabulary.push_back(line);
      options.own_commands[line] = line;
      options.replacements[line] = line;
    }
  }
  const std::string said = Printable(parts.back());
  const std::string text = speech::Rewriter(table, options).Rewrite(said).text;
  for (std::string_view rest = text; !rest.empty();) {
    const char32_t c = speech::TakeCodePoint(rest);
    if (c >= 0xDC00 && c < 0xE000) __builtin_trap();
  }
  return 0;
}
