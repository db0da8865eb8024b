// The commands and options of the parser as plain data, for what is generated from them:
// completions and the manual page.
#pragma once

#include <string>
#include <vector>

#include "app/cli/command.h"

namespace headroom::cli {

struct OptionLine {
  std::vector<std::string> names;  // "-f", "--format"; empty: an argument
  std::string argument;            // its name where it takes a value or is an argument; "" : a flag
  std::string text;
  std::vector<std::string> choices;  // the only values it takes; empty: any
};

struct CommandLine {
  std::string path;  // "headroom models list"
  std::string name;  // "list"
  std::string text;
  std::string more;  // what its help ends with
  std::vector<OptionLine> options;
  std::vector<CommandLine> commands;
};

/// Hidden commands are left out.
CommandLine CommandTree(Parser app);

/// The tree as a list, parents first.
std::vector<const CommandLine*> Flatten(const CommandLine& root);

/// Of "bash", "zsh" or "fish".
std::string CompletionFor(const std::string& shell, const CommandLine& root);

/// headroom(1) in man(7).
std::string ManualPage(const CommandLine& root, const std::string& version);

}  // namespace headroom::cli
