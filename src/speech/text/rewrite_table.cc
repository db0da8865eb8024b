#include "speech/text/rewrite_table.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "speech/text/unicode.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

constexpr std::pair<std::string_view, SpokenAction> kActions[] = {
    {"capital", SpokenAction::kCapital}, {"all_caps", SpokenAction::kAllCaps},
    {"caps_on", SpokenAction::kCapsOn},  {"caps_off", SpokenAction::kCapsOff},
    {"literal", SpokenAction::kLiteral}, {"no_space", SpokenAction::kNoSpace},
    {"scratch", SpokenAction::kScratch},
};
constexpr std::pair<std::string_view, Joins> kJoins[] = {{"none", Joins::kNone},
                                                         {"left", Joins::kLeft},
                                                         {"right", Joins::kRight},
                                                         {"both", Joins::kBoth}};

// Reads typed values out of one TOML file.
class Reader : TomlReader {
 public:
  Reader(const std::string& origin, RewriteTable& table) : TomlReader(origin), table_(table) {}

  Result<> Read(const toml::table& file) {
    TRY(OnlyKeys(file, {"articles", "capital_sets_off", "command", "numbers"}));
    TRY(Words(file, "articles", table_.articles));
    TRY(Flag(file, "capital_sets_off", table_.capital_sets_off));
    if (const toml::node* node = file.get("command")) {
      const toml::array* commands = node->as_array();
      if (!commands) return Wrong(*node, "command must be written [[command]]");
      for (const toml::node& element : *commands) {
        const toml::table* command = element.as_table();
        if (!command) return Wrong(element, "command must be written [[command]]");
        TRY(Command(*command));
      }
    }
    if (const toml::node* node = file.get("numbers")) {
      const toml::table* numbers = node->as_table();
      if (!numbers) return Wrong(*node, "numbers must be a table");
      TRY(Numbers(*numbers));
    }
    return {};
  }

 private:
  Result<> Flag(const toml::table& table, std::string_view key, bool& flag) const {
    const toml::node* node = table.get(key);
    if (!node) return {};
    if (!node->is_boolean()) return Wrong(*node, fmt::format("{} must be true or false", key));
    flag = node->as_boolean()->get();
    return {};
  }

  Result<> Text(const toml::table& table, std::string_view key, std::string& text) const {
    const toml::node* node = table.get(key);
    if (!node) return {};
    if (!node->is_string()) return Wrong(*node, fmt::format("{} must be text", key));
    text = node->as_string()->get();
    return {};
  }

  // As they are written; added to `words`.
  Result<std::vector<std::string>> Texts(const toml::table& table, std::string_view key) const {
    std::vector<std::string> texts;
    const toml::node* node = table.get(key);
    if (!node) return texts;
    const toml::array* array = node->as_array();
    if (!array) return Wrong(*node, fmt::format("{} must be a list of texts", key));
    for (const toml::node& element : *array) {
      if (!element.is_string()) return Wrong(element, fmt::format("{} must be texts", key));
      texts.push_back(element.as_string()->get());
    }
    return texts;
  }

  Result<> Words(const toml::table& table, std::string_view key,
                 std::set<std::string>& words) const {
    TRY_ASSIGN(const auto texts, Texts(table, key));
    for (const std::string& text : texts) words.insert(Fold(text));
    return {};
  }

  Result<> Command(const toml::table& table) {
    TRY(OnlyKeys(
        table, {"say", "write", "action", "joins", "noun", "set_off", "not_after", "not_before"}));
    SpokenCommand command;
    TRY(Text(table, "write", command.write));
    std::string action, joins;
    TRY(Text(table, "action", action));
    if (!action.empty()) {
      const auto* known = std::ranges::find(kActions, action, [](auto& one) { return one.first; });
      if (known == std::end(kActions))
        return Wrong(*table.get("action"), "there is no action \"" + Printable(action) + "\"");
      command.action = known->second;
    }
    command.joins = JoinsOf(command.write);
    TRY(Text(table, "joins", joins));
    if (!joins.empty()) {
      const auto* known = std::ranges::find(kJoins, joins, [](auto& one) { return one.first; });
      if (known == std::end(kJoins))
        return Wrong(*table.get("joins"), "joins must be none, left, right or both");
      command.joins = known->second;
    }
    TRY(Flag(table, "noun", command.noun));
    TRY(Flag(table, "set_off", command.set_off));
    TRY(Words(table, "not_after", command.not_after));
    TRY(Words(table, "not_before", command.not_before));
    TRY_ASSIGN(const auto phrases, Texts(table, "say"));
    if (phrases.empty()) return Wrong(table, "a command must have something to say");
    for (const std::string& phrase : phrases) {
      if (auto set = table_.Set(phrase, command); !set) return Wrong(table, set.error().what);
    }
    return {};
  }

  template <class Number>
  Result<> Values(const toml::table& table, std::string_view key, std::int64_t least,
                  std::int64_t most, std::map<std::string, Number>& values) const {
    const toml::node* node = table.get(key);
    if (!node) return {};
    const toml::table* words = node->as_table();
    if (!words) return Wrong(*node, fmt::format("{} must be a table", key));
    for (const auto& [word, value] : *words) {
      const toml::value<std::int64_t>* number = value.as_integer();
      if (!number || number->get() < least || number->get() > most)
        return Wrong(value,
                     fmt::format("{}: between {} and {}", Printable(word.str()), least, most));
      values[Fold(word.str())] = static_cast<Number>(number->get());
    }
    return {};
  }

  Result<> Numbers(const toml::table& table) {
    TRY(OnlyKeys(table, {"ones", "tens", "scales", "unit_joins", "scale_joins", "points", "decimal",
                         "percents", "percent", "not_before", "years"}));
    NumberWords& numbers = table_.numbers;
    TRY(Values(table, "ones", 0, 19, numbers.ones));
    TRY(Values(table, "tens", 20, 90, numbers.tens));
    TRY(Values(table, "scales", 100, 1'000'000'000'000, numbers.scales));
    TRY(Words(table, "unit_joins", numbers.unit_joins));
    TRY(Words(table, "scale_joins", numbers.scale_joins));
    TRY(Words(table, "points", numbers.points));
    TRY(Words(table, "percents", numbers.percents));
    TRY(Text(table, "decimal", numbers.decimal));
    TRY(Text(table, "percent", numbers.percent));
    TRY(Words(table, "not_before", numbers.not_before));
    TRY(Flag(table, "years", numbers.years));
    return {};
  }

  RewriteTable& table_;
};

}  // namespace

Result<> RewriteTable::Set(std::string_view phrase, SpokenCommand command) {
  const std::string folded = Fold(phrase);
  if (folded.empty()) return Fail(Errc::kInvalid, "\"{}\" cannot be spoken", Printable(phrase));
  if (command.action == SpokenAction::kWrite && command.write.empty()) {
    commands.erase(folded);
    return {};
  }
  commands[folded] = std::move(command);
  longest = std::max(longest, static_cast<std::size_t>(std::ranges::count(folded, ' ')) + 1);
  return {};
}

Joins JoinsOf(std::string_view write) {
  constexpr std::string_view kSpace = " \t\n";
  constexpr std::u32string_view kLeft = U".,;:!?…)]}%’”»";
  constexpr std::u32string_view kRight = U"([{¿¡«„“‘";
  if (write.empty()) return Joins::kNone;
  bool left = kSpace.find(write.front()) != std::string_view::npos;
  bool right = kSpace.find(write.back()) != std::string_view::npos;
  if (!left && !right) {
    left = right = true;
    while (!write.empty()) {
      const char32_t c = TakeCodePoint(write);
      left = left && kLeft.find(c) != std::u32string_view::npos;
      right = right && kRight.find(c) != std::u32string_view::npos;
    }
  }
  return left && right ? Joins::kBoth : left ? Joins::kLeft : right ? Joins::kRight : Joins::kNone;
}

Result<> ReadRewriteTable(std::string_view text, const std::string& origin, RewriteTable& table) {
  TRY_ASSIGN(const toml::table file, ParseToml(text, origin));
  return Reader(origin, table).Read(file);
}

Result<RewriteTable> LoadRewriteTable(const std::string& language) {
  RewriteTable table{.language = language};
  const bool plain = language.size() >= 2 && language.size() <= 3 &&
                     std::ranges::all_of(language, [](char c) { return c >= 'a' && c <= 'z'; });
  if (!plain) return table;
  const std::string name = "dictation/" + language + ".toml";
  std::vector<std::filesystem::path> files;
  if (const auto shipped = FindShared(name)) files.push_back(*shipped);
  files.push_back(ConfigDir() / name);
  for (const auto& file : files) {
    auto text = ReadFile(file, MiB(1));
    if (!text && text.error().code == Errc::kNotFound) continue;
    if (!text) return Within(text, "read spoken commands");
    TRY(ReadRewriteTable(*text, file.string(), table));
  }
  return table;
}

}  // namespace headroom::speech
