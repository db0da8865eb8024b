#include <algorithm>

#include "app/config/config_keys.h"
#include "base/text.h"

namespace headroom::app {
namespace {

template <class Each>
void ForKeysOf(const ConfigSection& section, const Each& each) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section == section.name) each(key);
  }
}

// Lines of at most `width` that begin with "# ".
std::string Comment(std::string_view text, std::size_t width = 90) {
  std::string lines, line = "#";
  for (const std::string& word : Split(text, ' ')) {
    if (line.size() + 1 + word.size() > width) {
      lines += line + '\n';
      line = "#";
    }
    line += ' ' + word;
  }
  return lines + line + '\n';
}

std::string Cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '\\');
  return text;
}

}  // namespace

std::string WriteConfig(const Config& config) {
  std::string text;
  for (const ConfigSection& section : ConfigSections()) {
    text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section.name);
    ForKeysOf(section, [&](const ConfigKey& key) {
      text += key.read ? fmt::format("{} = {}\n", key.name, key.write(config)) : key.write(config);
    });
  }
  return text;
}

std::string ExampleConfig() {
  std::string text =
      "# Headroom's configuration. Every key is shown as a comment with its default.\n"
      "# To change one, remove its '#', then run: headroom config check && headroom reload\n";
  for (const ConfigSection& section : ConfigSections()) {
    text += fmt::format("\n[{}]\n{}", section.name, Comment(section.text));
    ForKeysOf(section, [&](const ConfigKey& key) {
      text += '\n' + Comment(key.text);
      if (!key.read) {
        text += key.section == "commands" ? "#[commands.en]\n#\"smiley\" = \":-)\"\n"
                                          : "#\"head room\" = \"Headroom\"\n";
        return;
      }
      text += Comment(key.values);
      text += fmt::format("#{} = {}\n", key.name, key.write({}));
    });
  }
  return text;
}

std::string ConfigTables() {
  std::string text;
  for (const ConfigSection& section : ConfigSections()) {
    text += fmt::format("## [{}]\n\n{}\n\n", section.name, section.text);
    bool table = false;
    ForKeysOf(section, [&](const ConfigKey& key) {
      if (!key.read) {
        text += key.text + "\n\n";
        return;
      }
      if (!table) text += "| key | default | values | meaning |\n|---|---|---|---|\n";
      table = true;
      text +=
          fmt::format("| `{}` | `{}` | {} | {}{} |\n", key.name, key.write({}), Cell(key.values),
                      Cell(key.text), key.restart ? " Takes effect at the next start." : "");
    });
    if (table) text += '\n';
  }
  return text;
}

}  // namespace headroom::app
