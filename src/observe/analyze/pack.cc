#include "observe/analyze/pack.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMostPatterns = 1000;
constexpr std::size_t kMostGroups = 16;
constexpr std::size_t kLongestLine = 16384;  // of a line only so much is looked at

struct Pattern {
  EventType type;
  bool event = true, none = false, engine_only = false, restates = false;
  std::string size_unit, engine;
  std::unique_ptr<RE2> expression;  // null without named groups
  std::map<int, std::string> groups;
};

Result<std::string> Text(const toml::table& table, const char* key, const std::string& where,
                         bool needed) {
  const toml::node* node = table.get(key);
  if (!node) {
    if (needed) return Fail(Errc::kInvalid, "{}: {} is missing", where, key);
    return std::string();
  }
  if (const auto text = node->value_exact<std::string>()) return *text;
  return Fail(Errc::kInvalid, "{}: {} must be a text", where, key);
}

bool IsGroup(std::string_view name) {
  constexpr std::array<std::string_view, 10> kGroups = {
      "code",      "subject", "subject2", "process",    "pid",
      "other_pid", "device",  "count",    "suppressed", "swap_free"};
  return name == "swap_total" || std::find(kGroups.begin(), kGroups.end(), name) != kGroups.end();
}

std::string_view Unquoted(std::string_view text) {
  if (text.size() > 1 && (text.front() == '\'' || text.front() == '"') &&
      text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}

RE2::Options Options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(RE2::Options::EncodingLatin1);  // logs are not always UTF-8
  options.set_max_mem(64 << 20);
  return options;
}

Result<Pattern> ParsePattern(const toml::table& table, const std::string& file, RE2::Set& set) {
  const std::string where = fmt::format("{}:{}", file, table.source().begin.line);
  for (const auto& [key, node] : table) {
    static const std::vector<std::string> kKeys = {
        "name", "kind", "family", "code", "match", "meaning", "unit_of_size", "engine", "restates"};
    if (std::find(kKeys.begin(), kKeys.end(), key.str()) != kKeys.end()) continue;
    const auto near = NearestNames(key.str(), kKeys);
    return Fail(Errc::kInvalid, "{}:{}: unknown key {}{}", file, node.source().begin.line,
                Printable(key.str()), near.empty() ? "" : ", did you mean " + near[0] + "?");
  }
  Pattern pattern;
  TRY_ASSIGN(pattern.type.name, Text(table, "name", where, true));
  TRY_ASSIGN(pattern.type.code, Text(table, "code", where, false));
  TRY_ASSIGN(pattern.type.meaning, Text(table, "meaning", where, false));
  TRY_ASSIGN(pattern.size_unit, Text(table, "unit_of_size", where, false));
  TRY_ASSIGN(pattern.engine, Text(table, "engine", where, false));
  pattern.restates = table["restates"].value_or(false);
  TRY_ASSIGN(const std::string kind, Text(table, "kind", where, true));
  TRY_ASSIGN(const std::string family, Text(table, "family", where, false));
  TRY_ASSIGN(const std::string match, Text(table, "match", where, true));
  if (kind == "sample") {
    pattern.event = false;
  } else if (kind == "none" || kind == "engine") {
    pattern.event = false;
    pattern.none = kind == "none";
    pattern.engine_only = kind == "engine";
  } else if (const auto known = EventKindFromName(kind)) {
    pattern.type.kind = *known;
  } else {
    return Fail(Errc::kInvalid, "{}: kind \"{}\" is not known", where, Printable(kind));
  }
  if (!family.empty()) {
    const auto known = FamilyFromName(family);
    if (!known)
      return Fail(Errc::kInvalid, "{}: family \"{}\" is not known", where, Printable(family));
    pattern.type.family = *known;
  }
  auto expression = std::make_unique<RE2>(match, Options());
  if (!expression->ok())
    return Fail(Errc::kInvalid, "{}: match: {}", where, Printable(expression->error()));
  for (const auto& [index, name] : expression->CapturingGroupNames()) {
    if (!MetricFromName(name) && !IsGroup(name))
      return Fail(Errc::kInvalid,
                  "{}: group {} is neither a metric nor code, subject, process, pid, device, count",
                  where, Printable(name));
    pattern.groups.emplace(index, name);
  }
  if (static_cast<std::size_t>(expression->NumberOfCapturingGroups()) >= kMostGroups)
    return Fail(Errc::kInvalid, "{}: at most {} groups", where, kMostGroups - 1);
  std::string error;
  if (set.Add(match, &error) < 0)
    return Fail(Errc::kInvalid, "{}: match: {}", where, Printable(error));
  if (!pattern.groups.empty()) pattern.expression = std::move(expression);
  return pattern;
}

}  // namespace

struct Packs::State {
  RE2::Set set{Options(), RE2::UNANCHORED};
  std::vector<Pattern> patterns;
  std::vector<int> matched;
};

Packs::Packs(std::unique_ptr<State> state) : state_(std::move(state)) {}
Packs::~Packs() = default;
Packs::Packs(Packs&&) noexcept = default;
Packs& Packs::operator=(Packs&&) noexcept = default;

Result<Packs> Packs::Make(const std::vector<Text>& texts) {
  auto state = std::make_unique<State>();
  for (const Text& text : texts) {
    TRY_ASSIGN(const toml::table file, ParseToml(text.toml, text.name));
    const toml::array* patterns = file["pattern"].as_array();
    if (!patterns) continue;
    for (const toml::node& node : *patterns) {  // a copy would lose its lines
      const toml::table* table = node.as_table();
      if (!table) return Fail(Errc::kInvalid, "{}: pattern must be [[pattern]]", text.name);
      if (state->patterns.size() >= kMostPatterns)
        return Fail(Errc::kInvalid, "{}: more than {} patterns", text.name, kMostPatterns);
      TRY_ASSIGN(Pattern pattern, ParsePattern(*table, text.name, state->set));
      state->patterns.push_back(std::move(pattern));
    }
  }
  if (!state->set.Compile()) return Fail(Errc::kNoMemory, "error packs: too large to compile");
  return Packs(std::move(state));
}

Result<Packs> Packs::Load(const std::vector<std::filesystem::path>& folders) {
  std::vector<Text> texts;
  for (const auto& folder : folders) {
    std::vector<std::filesystem::path> files;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      TRY_ASSIGN(std::string toml, ReadFile(file, MiB(1)));
      texts.push_back({file.string(), std::move(toml)});
    }
  }
  return Make(texts);
}

std::size_t Packs::size() const {
  return state_->patterns.size();
}

std::optional<Meaning> Packs::Match(std::string_view line) {
  line = line.substr(0, kLongestLine);
  State& state = *state_;
  if (state.patterns.empty()) return std::nullopt;
  state.matched.clear();
  if (!state.set.Match(re2::StringPiece(line.data(), line.size()), &state.matched))
    return std::nullopt;
  const Pattern* first = nullptr;
  Meaning meaning;
  std::sort(state.matched.begin(), state.matched.end());
  for (const int index : state.matched) {
    const Pattern& pattern = state.patterns[static_cast<std::size_t>(index)];
    if (meaning.engine.empty()) meaning.engine = pattern.engine;
    if (!first && !pattern.engine_only) first = &pattern;
  }
  if (first && first->none) return std::nullopt;
  if (!first) {
    if (meaning.engine.empty()) return std::nullopt;
    meaning.event = false;
    return meaning;
  }
  const Pattern& pattern = *first;
  meaning.restates = pattern.restates;
  meaning.event = pattern.event;
  meaning.type = pattern.type;
  if (!pattern.expression) return meaning;
  std::optional<double> swap_free, swap_total;
  std::array<re2::StringPiece, kMostGroups> groups;
  const int wanted = pattern.expression->NumberOfCapturingGroups() + 1;
  if (!pattern.expression->Match(re2::StringPiece(line.data(), line.size()), 0, line.size(),
                                 RE2::UNANCHORED, groups.data(), wanted))
    return meaning;
  for (const auto& [index, name] : pattern.groups) {
    const re2::StringPiece& group = groups[static_cast<std::size_t>(index)];
    if (group.data() == nullptr) continue;
    const std::string text(Trim(std::string_view(group.data(), group.size())));
    if (const auto metric = MetricFromName(name)) {
      const bool bare = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
      if (!IsBytes(*metric)) {
        double value = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc())
          meaning.readings.push_back({*metric, value});
      } else if (const auto bytes = ParseBytes(bare ? text + pattern.size_unit : text)) {
        meaning.readings.push_back({*metric, static_cast<double>(bytes->n)});
      }
    } else if (name == "code") {
      meaning.type.code = Printable(text.substr(0, 32));
    } else if (name == "subject" || name == "subject2") {
      meaning.type.subject = Printable(Unquoted(text).substr(0, 96));
    } else if (name == "pid") {
      meaning.pid = Printable(text.substr(0, 16));
    } else if (name == "suppressed") {
      std::uint64_t number = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc())
        meaning.suppressed = number;
    } else if (name == "swap_free" || name == "swap_total") {
      if (const auto bytes = ParseBytes(text + pattern.size_unit))
        (name == "swap_free" ? swap_free : swap_total) = static_cast<double>(bytes->n);
    } else if (name == "process") {
      meaning.process = Printable(text.substr(0, 64));
    } else if (name == "device") {
      meaning.device = Printable(text.substr(0, 64));
    } else if (name == "count") {
      std::uint32_t count = 1;
      std::from_chars(text.data(), text.data() + text.size(), count);
      meaning.count = std::clamp<std::uint32_t>(count, 1, 1'000'000);
    }
  }
  if (swap_free && swap_total && *swap_free <= *swap_total)
    meaning.readings.push_back({Metric::kHostSwap, *swap_total - *swap_free});
  return meaning;
}

}  // namespace headroom::analyze
