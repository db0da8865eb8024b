#include "app/cli/command_tree.h"

#include <CLI/CLI.hpp>

#include "base/text.h"

namespace headroom::cli {
namespace {

// Reads "text|json" from the type's name, or "TEXT:{text,json}", which is how CLI11 writes a
// membership check.
std::vector<std::string> Choices(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.find('|') != std::string::npos) return Split(type, '|');
  const std::size_t open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return Split(std::string_view(type).substr(open + 1, close - open - 1), ',');
}

OptionLine LineOf(const CLI::Option& option) {
  OptionLine line;
  for (const std::string& name : option.get_snames()) line.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) line.names.push_back("--" + name);
  line.text = option.get_description();
  line.choices = Choices(option);
  if (option.nonpositional()) {
    if (option.get_items_expected_max() > 0) line.argument = "VALUE";
  } else {
    line.argument = option.get_single_name();
  }
  return line;
}

CommandLine Walk(const CLI::App& app, const std::string& parent) {
  CommandLine command;
  command.name = app.get_name();
  command.path = parent.empty() ? command.name : parent + " " + command.name;
  command.text = app.get_description();
  command.more = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) command.options.push_back(LineOf(*option));
  }
  for (const CLI::App* sub :
       app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    command.commands.push_back(Walk(*sub, command.path));
  return command;
}

void Append(const CommandLine& command, std::vector<const CommandLine*>& all) {
  all.push_back(&command);
  for (const CommandLine& sub : command.commands) Append(sub, all);
}

}  // namespace

CommandLine CommandTree(Parser app) {
  return Walk(app.app(), "");
}

std::vector<const CommandLine*> Flatten(const CommandLine& root) {
  std::vector<const CommandLine*> all;
  Append(root, all);
  return all;
}

}  // namespace headroom::cli
