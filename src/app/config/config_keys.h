// The list of all configuration keys: name, values and meaning.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/config/config_value.h"

namespace headroom::app {

struct ConfigKey {
  std::string section;   // "speech"
  std::string name;      // "silence"; "" : any name, the section is a table of the user's own names
  std::string values;    // for a person: "100ms to 10s", "toggle | push_to_talk | hands_free"
  std::string text;      // what it means, in one or two sentences
  bool restart = false;  // a change is applied after a restart

  /// The value as TOML: of a default Config this is the default. For tables of own names the lines
  /// of the table, or "".
  std::function<std::string(const Config&)> write;
  /// The error does not name the key. Empty for tables of own names.
  std::function<Result<>(const ConfigValue&, Config&)> read;

  std::string title() const { return section + "." + name; }
};

/// In the order of the file and of docs/config.md.
const std::vector<ConfigKey>& ConfigKeys();

struct ConfigSection {
  std::string name, text;
};
const std::vector<ConfigSection>& ConfigSections();

/// A whole file with every key set to the value it has in `config`.
std::string WriteConfig(const Config& config);
/// An annotated file in which every key is a comment that shows its default.
std::string ExampleConfig();
/// The tables of docs/config.md.
std::string ConfigTables();

}  // namespace headroom::app
