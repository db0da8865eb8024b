#include "app/config/config_value.h"

#include <algorithm>
#include <cmath>

#include "base/dirs.h"
#include "base/duration.h"
#include "base/text.h"

namespace headroom::app {

Result<bool> ReadFlag(const ConfigValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  return Fail(Errc::kInvalid, "must be true or false");
}

Result<double> ReadNumber(const ConfigValue& value, double low, double high) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto* fraction = std::get_if<double>(&value);
  const double number = whole ? static_cast<double>(*whole) : fraction ? *fraction : std::nan("");
  if (number >= low && number <= high) return number;
  return Fail(Errc::kInvalid, "must be a number from {} to {}", low, high);
}

Result<std::string> ReadText(const ConfigValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text) return Fail(Errc::kInvalid, "must be text in quotes");
  if (text->find('\0') != std::string::npos || Printable(*text).size() < text->size())
    return Fail(Errc::kInvalid, "contains a character that is not text");
  return *text;
}

Result<std::vector<std::string>> ReadTexts(const ConfigValue& value) {
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (!list && !std::holds_alternative<std::string>(value))
    return Fail(Errc::kInvalid, "must be a list of texts, such as [\"one\", \"two\"]");
  std::vector<std::string> texts;
  for (const std::string& element :
       list ? *list : std::vector<std::string>{std::get<std::string>(value)}) {
    TRY_ASSIGN(std::string text, ReadText(element));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<Milliseconds> ReadDuration(const ConfigValue& value, Milliseconds low, Milliseconds high) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text)
    return Fail(Errc::kInvalid, "must be a length of time in quotes, such as \"{}\"",
                FormatDuration(std::max(low, std::min(high, Milliseconds(1500)))));
  TRY_ASSIGN(const Milliseconds duration, ParseDuration(*text));
  if (duration < low || duration > high)
    return Fail(Errc::kInvalid, "must be from {} to {}", FormatDuration(low), FormatDuration(high));
  return duration;
}

Result<Bytes> ReadSize(const ConfigValue& value, Bytes low, Bytes high) {
  Bytes size;
  if (const auto* text = std::get_if<std::string>(&value)) {
    TRY_ASSIGN(size, ParseBytes(Trim(Printable(*text))));
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    size = Bytes(*number);
  } else {
    return Fail(Errc::kInvalid, "must be a size in quotes, such as \"{}\"", FormatExact(low));
  }
  if (size < low || size > high)
    return Fail(Errc::kInvalid, "must be from {} to {}", FormatExact(low), FormatExact(high));
  return size;
}

Result<std::filesystem::path> ReadPath(const std::string& text) {
  if (text.empty()) return std::filesystem::path();
  if (text.starts_with("~/")) return std::filesystem::path(Environment("HOME")) / text.substr(2);
  if (text.starts_with('/')) return std::filesystem::path(text);
  return Fail(Errc::kInvalid, "\"{}\" must begin with / or ~/", Printable(text));
}

std::string TomlText(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      quoted += {'\\', c};
    else if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      quoted += fmt::format("\\u{:04X}", c);
    else
      quoted += c;
  }
  return quoted + '"';
}

std::string TomlNumber(double number) {
  return fmt::format("{}", number);
}

std::string TomlList(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + TomlText(text);
  return "[" + list + "]";
}

std::string TomlKey(std::string_view key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : TomlText(key);
}

std::string WritePhrases(const Phrases& phrases) {
  std::string lines;
  for (const auto& [phrase, text] : phrases)
    lines += fmt::format("{} = {}\n", TomlKey(phrase), TomlText(text));
  return lines;
}

std::string WriteCommands(const Config& config) {
  std::string lines;
  for (const auto& [language, phrases] : config.commands)
    lines += fmt::format("[commands.{}]\n{}", TomlKey(language), WritePhrases(phrases));
  return lines;
}

}  // namespace headroom::app
