#include "app/config/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>

#include "app/config/config_keys.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "models/store/names.h"

namespace headroom::app {
namespace {

ConfigValue ValueOf(const toml::node& node) {
  if (const auto flag = node.value_exact<bool>()) return *flag;
  if (const auto whole = node.value_exact<std::int64_t>()) return *whole;
  if (const auto number = node.value_exact<double>()) return *number;
  if (const auto text = node.value_exact<std::string>()) return *text;
  const toml::array* array = node.as_array();
  if (!array) return std::monostate();
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text) return std::monostate();
    texts.push_back(*text);
  }
  return texts;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& names,
                       std::string_view before, std::string_view after) {
  const auto near = NearestNames(word, names, 1);
  return near.empty() ? "" : fmt::format("; did you mean {}{}{}?", before, near.front(), after);
}

// For messages, which may quote a line break from the file.
std::string OneLine(std::string_view text) {
  std::string line = Printable(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

// Reads tables into a Config and collects every mistake.
class Reader {
 public:
  explicit Reader(ConfigReading& into) : into_(into) {}

  void ReadFile(const toml::table& file) {
    for (const auto& [key, node] : file) {
      const std::string name(key.str());
      const toml::table* table = node.as_table();
      const auto& sections = ConfigSections();
      const bool known = std::ranges::any_of(
          sections, [&](const ConfigSection& section) { return section.name == name; });
      if (known && !table) {
        Wrong(node, fmt::format("{0} is a section; write [{0}] on a separate line", name));
      } else if (!known) {
        Unknown(name, key.source(), table != nullptr);
      } else if (name == "replacements") {
        into_.config.replacements = PhrasesOf(*table, name);
      } else if (name == "commands") {
        ReadCommands(*table);
      } else {
        ReadSection(name, *table);
      }
    }
    CheckTogether();
  }

 private:
  void Wrong(std::int64_t line, std::string_view text) {
    into_.problems.push_back({line, OneLine(text)});
  }
  void Wrong(const toml::node& at, std::string_view text) { Wrong(at.source().begin.line, text); }

  // A section or a key outside of one.
  void Unknown(const std::string& name, const toml::source_region& at, bool section) {
    std::vector<std::string> names;
    for (const ConfigSection& one : ConfigSections()) names.push_back(one.name);
    if (section) {
      Wrong(at.begin.line, fmt::format("unknown section [{}]{}", Printable(name),
                                       DidYouMean(name, names, "[", "]")));
      return;
    }
    Wrong(at.begin.line,
          fmt::format("{} is outside of any section{}", Printable(name), Elsewhere(name)));
  }

  static std::string Elsewhere(const std::string& name) {
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.name == name) return fmt::format("; it belongs under [{}]", key.section);
    }
    return "";
  }

  void ReadSection(const std::string& section, const toml::table& table) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const auto& keys = ConfigKeys();
      const auto found = std::ranges::find_if(
          keys, [&](const ConfigKey& one) { return one.section == section && one.name == name; });
      if (found == keys.end()) {
        std::vector<std::string> names;
        for (const ConfigKey& one : keys) {
          if (one.section == section) names.push_back(one.name);
        }
        std::string near = DidYouMean(name, names, "", "");
        if (near.empty()) near = Elsewhere(name);
        if (near.empty()) near = fmt::format("; known: {}", fmt::join(names, ", "));
        Wrong(key.source().begin.line,
              fmt::format("[{}] has no key {}{}", section, Printable(name), near));
        continue;
      }
      lines_[found->title()] = node.source().begin.line;
      if (const auto read = found->read(ValueOf(node), into_.config); !read)
        Wrong(node, fmt::format("{}: {}", found->title(), read.error().what));
    }
  }

  Phrases PhrasesOf(const toml::table& table, const std::string& section) {
    Phrases phrases;
    for (const auto& [key, node] : table) {
      const auto text = ReadText(ValueOf(node));
      const std::string phrase(key.str());
      if (!text)
        Wrong(node, fmt::format("{}: \"{}\": {}", section, Printable(phrase), text.error().what));
      else if (Trim(phrase).empty())
        Wrong(node, fmt::format("{}: a phrase is empty", section));
      else
        phrases[phrase] = *text;
    }
    return phrases;
  }

  void ReadCommands(const toml::table& table) {
    for (const auto& [language, node] : table) {
      const std::string name(language.str());
      const toml::table* phrases = node.as_table();
      if (!phrases)
        Wrong(node, fmt::format("commands: phrases belong under a language, such as "
                                "[commands.en]; {} is not one",
                                Printable(name)));
      else
        into_.config.commands[name] = PhrasesOf(*phrases, "commands." + name);
    }
  }

  // Reports a conflict between keys, at the line of the first one that is set.
  void Together(std::initializer_list<std::string> keys, std::string_view text) {
    std::int64_t line = 0;
    for (const std::string& key : keys) {
      if (line == 0 && lines_.contains(key)) line = lines_[key];
    }
    Wrong(line, text);
  }

  void CheckTogether() {
    const Config& c = into_.config;
    if (c.speech.vad_leave > c.speech.vad_enter)
      Together({"speech.vad_leave", "speech.vad_enter"},
               fmt::format("speech.vad_leave: {} is above vad_enter, {}", c.speech.vad_leave,
                           c.speech.vad_enter));
    if (c.audio.source == audio::SourceKind::kFile && c.audio.files.empty())
      Together({"audio.source"}, "audio.source: \"file\" needs audio.files");
    for (const output::TargetOptions& options : TargetOptionsFor(c))
      if (const auto complete = output::Check(options); !complete)
        Together({"output.targets"}, "output.targets: " + complete.error().what);
    if (!c.output.command.empty() && c.output.command.front().empty())
      Together({"output.command"}, "output.command: the first element must be a program");
    if (c.memory.chunks.empty() ||
        !std::ranges::is_sorted(c.memory.chunks, std::ranges::greater_equal()))
      Together({"memory.chunks"},
               "memory.chunks: must have at least one, longest first, without duplicates");
    if (c.models.tiers.size() > kMostTiers)
      Together({"models.tiers"}, fmt::format("models.tiers: at most {}", kMostTiers));
    if (const auto valid = memory::Validate(c.memory.thresholds); !valid) {
      const std::string& what = valid.error().what;  // "vram_warning, … must ascend"
      const std::string gauge = what.substr(0, what.find("_warning"));
      Together({"memory." + gauge + "_critical", "memory." + gauge + "_danger",
                "memory." + gauge + "_warning"},
               "memory." + what);
    }
  }

  ConfigReading& into_;
  std::map<std::string, std::int64_t> lines_;  // of the keys that were set
};

ConfigReading ReadOver(Config base, std::string_view text) {
  ConfigReading reading;
  reading.config = std::move(base);
  try {
    const toml::table file = toml::parse(text);
    Reader(reading).ReadFile(file);
  } catch (const toml::parse_error& error) {
    reading.problems.push_back({error.source().begin.line, OneLine(error.description())});
  }
  std::ranges::stable_sort(reading.problems, {}, &ConfigProblem::line);
  return reading;
}

// Reads `value` as TOML when it is quoted or a list, else as plain text, else as TOML.
Result<> ReadSetting(const ConfigKey& key, const std::string& value, Config& into) {
  const bool toml_only =
      value.starts_with('"') || value.starts_with('\'') || value.starts_with('[');
  Result<> plain;
  if (!toml_only) {
    plain = key.read(value, into);
    if (plain) return plain;
  }
  try {
    const toml::table parsed = toml::parse("v = " + value);
    if (parsed.size() == 1) return key.read(ValueOf(*parsed.get("v")), into);
    return Fail(Errc::kInvalid, "must be one value");
  } catch (const toml::parse_error& error) {
    if (toml_only) return Fail(Errc::kInvalid, "{}", OneLine(error.description()));
    return plain;
  }
}

}  // namespace

std::string_view Name(ListenMode mode) {
  switch (mode) {
    case ListenMode::kToggle:
      return "toggle";
    case ListenMode::kPushToTalk:
      return "push_to_talk";
    case ListenMode::kHandsFree:
      return "hands_free";
  }
  return "toggle";
}

std::string TierName(const planner::TierPreference& tier) {
  return tier.place == planner::Place::kAny   ? tier.model
         : tier.place == planner::Place::kGpu ? tier.model + "@gpu"
                                              : tier.model + "@cpu";
}

Result<planner::TierPreference> ParseTierName(std::string_view text) {
  planner::TierPreference tier;
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view device = text.substr(at + 1);
    if (device != "gpu" && device != "cpu" && device != "auto")
      return Fail(Errc::kInvalid, "\"{}\": the device after @ must be gpu or cpu", Printable(text));
    tier.place = device == "gpu"   ? planner::Place::kGpu
                 : device == "cpu" ? planner::Place::kCpu
                                   : planner::Place::kAny;
  }
  const std::string_view model = text.substr(0, at);
  if (models::LooksLikePath(model)) {
    if (!model.starts_with('/'))
      return Fail(Errc::kInvalid, "\"{}\": the path of a model file must be absolute",
                  Printable(text));
    tier.model = model;
    return tier;
  }
  TRY_ASSIGN(const models::ModelSpec spec, models::ParseSpec(model));
  tier.model = models::ToString(spec);
  return tier;
}

std::filesystem::path ConfigPath() {
  return ConfigDir() / "config.toml";
}

ConfigReading ReadConfig(std::string_view text) {
  return ReadOver({}, text);
}

Result<Config> LoadConfig(const std::filesystem::path& path) {
  auto text = ReadFile(path, MiB(1));
  if (!text) {
    if (text.error().code == Errc::kNotFound && path == ConfigPath()) return Config();
    return Within(text, "load configuration");
  }
  ConfigReading reading = ReadConfig(*text);
  if (reading.problems.empty()) return std::move(reading.config);
  const ConfigProblem& first = reading.problems.front();
  const std::size_t more = reading.problems.size() - 1;
  return Fail(
      Errc::kInvalid, "{}:{}: {}{}", path.string(), first.line, first.text,
      more == 0 ? ""
                : fmt::format("; and {} more, run: headroom config check {}", more, path.string()));
}

Result<> SetConfig(Config& config, std::span<const std::string> settings) {
  std::string text;
  Config changed = config;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    const std::size_t dot = setting.find('.');
    if (equals == std::string::npos || dot == std::string::npos || dot > equals)
      return Fail(Errc::kInvalid, "\"{}\": write it as section.key=value", Printable(setting));
    const std::string name = setting.substr(0, equals);
    const auto& keys = ConfigKeys();
    const auto key =
        std::ranges::find_if(keys, [&](const ConfigKey& one) { return one.title() == name; });
    if (key == keys.end() || !key->read) {
      std::vector<std::string> names;
      for (const ConfigKey& one : keys) names.push_back(one.title());
      return Fail(Errc::kInvalid, "unknown key {}{}", Printable(name),
                  DidYouMean(name, names, "", ""));
    }
    const std::string value = setting.substr(equals + 1);
    if (auto read = ReadSetting(*key, value, changed); !read) return Within(read, "{}", name);
  }
  ConfigReading whole = ReadConfig(WriteConfig(changed));
  if (!whole.problems.empty()) return Fail(Errc::kInvalid, "{}", whole.problems.front().text);
  config = std::move(changed);
  return {};
}

std::vector<output::TargetOptions> TargetOptionsFor(const Config& config) {
  const OutputConfig& from = config.output;
  std::vector<output::TargetOptions> all;
  for (const output::TargetKind kind : from.targets) {
    // Each target uses those of the options that are its own.
    output::TargetOptions& options = all.emplace_back();
    options.kind = kind;
    options.path = from.file;
    options.command = from.command;
    if (from.typing != "auto") options.typing.injectors = {from.typing};
    options.typing.key_delay = from.key_delay;
    if (from.paste_key != "auto") options.typing.paste_key = from.paste_key;
    if (!from.restore_clipboard) options.typing.restore_after = Milliseconds(0);
    if (kind != output::TargetKind::kType) continue;
    options.newlines = from.newline;
    options.after = from.after_utterance;
  }
  return all;
}

ConfigChange Difference(const Config& before, const Config& after) {
  ConfigChange change;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.write(before) == key.write(after)) continue;
    (key.restart ? change.restart : change.live)
        .push_back(key.name.empty() ? key.section : key.title());
  }
  return change;
}

}  // namespace headroom::app
