// headroom completion SHELL and headroom man: made from the parser, for packages; hidden from help.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/command_tree.h"
#include "app/cli/terminal.h"
#include "base/text.h"

namespace headroom::cli {
namespace {

// In single quotes of a shell.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string CommandNames(const CommandLine& command) {
  std::string names;
  for (const CommandLine& sub : command.commands) names += sub.name + " ";
  return names;
}

std::string OptionNames(const CommandLine& command) {
  std::string names;
  for (const OptionLine& option : command.options) {
    for (const std::string& name : option.names) names += name + " ";
  }
  return names;
}

// case patterns of every "path word" that leads to a subcommand.
std::string Paths(const std::vector<const CommandLine*>& all) {
  std::string paths;
  for (const CommandLine* command : all) {
    if (command->path.find(' ') != std::string::npos)
      paths += (paths.empty() ? "" : "|") + Quoted(command->path);
  }
  return paths;
}

// case patterns of an option that takes one of a few values, after its command.
std::string Patterns(const CommandLine& command, const OptionLine& option) {
  std::string patterns;
  for (const std::string& name : option.names)
    patterns += (patterns.empty() ? "" : "|") + Quoted(command.path + "|" + name);
  return patterns;
}

std::string Bash(const std::vector<const CommandLine*>& all) {
  std::string values, words;
  for (const CommandLine* command : all) {
    for (const OptionLine& option : command->options) {
      if (option.argument.empty() || option.names.empty()) continue;
      values +=
          fmt::format("    {}) {} ;;\n", Patterns(*command, option),
                      option.choices.empty()
                          ? "return"
                          : "words=" + Quoted(fmt::format("{}", fmt::join(option.choices, " "))));
    }
    words += fmt::format("      {}) commands={} options={} ;;\n", Quoted(command->path),
                         Quoted(CommandNames(*command)), Quoted(OptionNames(*command)));
  }
  // Where nothing is offered, bash completes file names (-o default).
  return fmt::format(R"(# bash completion for headroom; made by: headroom completion bash
_headroom() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  local place=headroom words='' commands='' options='' i
  # bash cuts --format=json into three words.
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place ${{COMP_WORDS[i]}}" in
      {}) place="$place ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$place|$prev" in
{}  esac
  if [[ -z $words ]]; then
    case "$place" in
{}    esac
    if [[ $cur == -* ]]; then words=$options; else words=$commands; fi
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}}
complete -o bashdefault -o default -F _headroom headroom
)",
                     Paths(all), values, words);
}

std::string Described(const std::string& name, const std::string& text) {
  std::string escaped;
  for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
  return Quoted(escaped + ":" + text) + " ";
}

std::string Zsh(const std::vector<const CommandLine*>& all) {
  std::string values, words;
  for (const CommandLine* command : all) {
    std::string commands, options;
    for (const CommandLine& sub : command->commands) commands += Described(sub.name, sub.text);
    for (const OptionLine& option : command->options) {
      for (const std::string& name : option.names) options += Described(name, option.text);
      if (option.argument.empty() || option.names.empty()) continue;
      values += fmt::format("    ({}) {} ;;\n", Patterns(*command, option),
                            option.choices.empty()
                                ? "_files; return"
                                : fmt::format("values=({})", fmt::join(option.choices, " ")));
    }
    words += fmt::format("    ({})\n      commands=({})\n      options=({}) ;;\n",
                         Quoted(command->path), commands, options);
  }
  return fmt::format(R"(#compdef headroom
# Made by: headroom completion zsh
_headroom() {{
  local place=headroom word
  local -a commands options values
  for word in ${{words[2,CURRENT-1]}}; do
    case "$place $word" in
      ({}) place="$place $word" ;;
    esac
  done
  case "$place|${{words[CURRENT-1]}}" in
{}  esac
  if (( $#values )); then
    compadd -a values
    return
  fi
  case "$place" in
{}  esac
  if [[ $PREFIX == -* ]]; then
    _describe option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}}
_headroom "$@"
)",
                     Paths(all), values, words);
}

std::string Fish(const std::vector<const CommandLine*>& all) {
  std::string lines;
  for (const CommandLine* command : all) {
    const std::string at =
        fmt::format("complete -c headroom -n {}", Quoted("__headroom_at '" + command->path + "'"));
    for (const CommandLine& sub : command->commands)
      lines += fmt::format("{} -f -a {} -d {}\n", at, sub.name, Quoted(sub.text));
    for (const OptionLine& option : command->options) {
      if (option.names.empty()) continue;
      lines += at;
      for (const std::string& name : option.names)
        lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.choices.empty())
        lines +=
            fmt::format(" -x -a {}", Quoted(fmt::format("{}", fmt::join(option.choices, " "))));
      else if (!option.argument.empty())
        lines += " -r";
      lines += " -d " + Quoted(option.text) + "\n";
    }
  }
  return fmt::format(
      R"(# fish completion for headroom; made by: headroom completion fish
function __headroom_at
    set -l place headroom
    for word in (commandline -opc)[2..-1]
        switch "$place $word"
            case {}
                set place "$place $word"
        end
    end
    test "$place" = "$argv[1]"
end
{})",
      [&] {
        std::string paths = Paths(all);
        for (char& c : paths) c = c == '|' ? ' ' : c;
        return paths;
      }(),
      lines);
}

// Text of man(7): no line may begin with a dot or quote, and '-' is a hyphen unless escaped.
std::string Roff(std::string_view text) {
  std::string roff;
  for (const char c : text) {
    if (c == '\\')
      roff += "\\e";
    else if (c == '-')
      roff += "\\-";
    else if ((c == '.' || c == '\'') && (roff.empty() || roff.back() == '\n'))
      roff += std::string("\\&") + c;
    else
      roff += c;
  }
  return roff;
}

std::string OptionsRoff(const CommandLine& command) {
  std::string text;
  for (const OptionLine& option : command.options) {
    if (option.names == std::vector<std::string>{"-h", "--help"}) continue;
    text += ".TP\n.B " + Roff(fmt::format("{}", fmt::join(option.names, ", ")));
    if (option.names.empty()) text += Roff(option.argument);
    if (!option.names.empty() && !option.argument.empty())
      text +=
          " " + Roff(option.choices.empty() ? option.argument
                                            : fmt::format("{}", fmt::join(option.choices, " | ")));
    text += "\n" + Roff(option.text) + "\n";
  }
  return text;
}

}  // namespace

std::string CompletionFor(const std::string& shell, const CommandLine& root) {
  const auto all = Flatten(root);
  return shell == "bash" ? Bash(all) : shell == "zsh" ? Zsh(all) : Fish(all);
}

std::string ManualPage(const CommandLine& root, const std::string& version) {
  std::string text = fmt::format(
      ".\\\" Made by: headroom man\n.TH HEADROOM 1 \"\" \"headroom {}\"\n.SH NAME\n"
      "headroom \\- {}\n.SH SYNOPSIS\n.B headroom\n.I COMMAND\n.RI [ OPTIONS ]\n.SH COMMANDS\n",
      Roff(version), Roff(root.text));
  for (const CommandLine* command : Flatten(root)) {
    if (command == &root) continue;
    text += fmt::format(".SS {}\n{}\n", Roff(command->path), Roff(command->text));
    text += OptionsRoff(*command);
    if (!command->more.empty() && command->more != root.more)
      text += ".PP\n" + Roff(command->more) + "\n";
  }
  text +=
      ".SH EXIT STATUS\n0 success; 1 other failure; 2 invalid command line or configuration; 3 a "
      "file, model, program or daemon was not found; 4 bad input; 5 no answer from the "
      "network or the daemon; 6 no space, memory or permission, or in use by another program; 7 "
      "the "
      "recognition worker failed; 8 part of the input could not be read; 9 a condition of report "
      "\\-\\-fail\\-on holds; 75 the service asks to be restarted; 130 interrupted.\n"
      ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/headroom/config.toml\nThe configuration.\n"
      ".TP\n.I $XDG_RUNTIME_DIR/headroom/control.sock\nThe control socket.\n"
      ".TP\n.I $XDG_DATA_HOME/headroom/models\nModels.\n"
      ".TP\n.I $XDG_STATE_HOME/headroom\nSpeech not yet recognised, and the history.\n";
  return text;
}

void AddCompletion(Parser app, Action& chosen) {
  const auto shell = std::make_shared<std::string>();
  Parser completion = app.Add("completion", "Print a shell completion script.");
  completion.Hide();
  completion.AddOption("SHELL", *shell, "bash, zsh or fish")
      .Required()
      .OneOf({"bash", "zsh", "fish"});
  completion.OnChosen([app, &chosen, shell] {
    chosen = [app, shell] {
      fmt::print("{}", CompletionFor(*shell, CommandTree(app)));
      return kOk;
    };
  });
  Parser man = app.Add("man", "Print the manual page.");
  man.Hide();
  man.OnChosen([app, &chosen] {
    chosen = [app] {
      fmt::print("{}", ManualPage(CommandTree(app), HEADROOM_VERSION));
      return kOk;
    };
  });
}

}  // namespace headroom::cli
