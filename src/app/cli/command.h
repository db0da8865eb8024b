// The command line as the subcommands see it: a thin layer over CLI11, which command.cc alone
// includes, since CLI11 takes longer to compile than any subcommand does.
//
// A subcommand plugs in with one function: its file adds itself to the parser and, when it is the
// one the user called, leaves its action. main() runs that action and returns its exit code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace headroom::cli {

using Action = std::function<int()>;

/// A handle on an option or an argument; each call returns it again.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required();
  Option OneOf(const std::vector<std::string>& choices);
  Option InRange(int least, int most);
  /// What help shows for its value.
  Option TypeName(const std::string& name);
  /// Help shows the value that the variable has now.
  Option ShowDefault();
  /// A repeatable option takes one value each time it is given.
  Option OneValueEach();
  Option Needs(Option other);
  Option Excludes(Option other);

 private:
  CLI::Option* option_;
};

/// A handle on the parser of a command. The variables that options are read into must outlive the
/// parse.
class Parser {
 public:
  explicit Parser(CLI::App& app) : app_(&app) {}

  Parser Add(const std::string& name, const std::string& description);
  /// `names`: "-f,--format"; without dashes it is an argument.
  Option AddOption(const std::string& names, std::string& into, const std::string& text);
  Option AddOption(const std::string& names, std::vector<std::string>& into,
                   const std::string& text);
  Option AddOption(const std::string& names, int& into, const std::string& text);
  Option AddOption(const std::string& names, std::int64_t& into, const std::string& text);
  Option AddOption(const std::string& names, std::vector<int>& into, const std::string& text);
  Option AddFlag(const std::string& names, bool& into, const std::string& text);

  void RequireCommand(int least = 1, int most = 1);
  void Footer(const std::string& text);
  /// Help, completions and the manual page leave it out.
  void Hide();
  /// What follows the first argument belongs to the arguments, even with dashes.
  void PositionalsAtEnd();

  /// Called when the user called this command; with subcommands, after theirs.
  void OnChosen(std::function<void()> callback);
  /// Called once everything is parsed.
  void OnEnd(std::function<void()> callback);
  /// The user called this command.
  bool chosen() const;
  /// The user called a subcommand of it.
  bool subcommand_chosen() const;

  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

/// For callbacks: ends the parse with a usage error about `command`.
[[noreturn]] void RefuseUsage(const std::string& command, const std::string& what);

/// The whole command line of a program.
class Program {
 public:
  Program(const std::string& description, const std::string& name);
  ~Program();

  Parser parser() { return Parser(*app_); }
  void ShowVersion(const std::string& version);
  /// The exit code when there is nothing more to do: help was asked for, or a mistake was printed.
  std::optional<int> Parse(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

void AddBench(Parser app, Action& chosen);
void AddCalibrate(Parser app, Action& chosen);
void AddCompletion(Parser app, Action& chosen);  // completion, man: hidden
void AddConfig(Parser app, Action& chosen);
void AddDaemon(Parser app, Action& chosen);
void AddDevices(Parser app, Action& chosen);
void AddDictate(Parser app, Action& chosen);
void AddDoctor(Parser app, Action& chosen);
void AddDrain(Parser app, Action& chosen);
void AddGovernor(Parser app, Action& chosen);
void AddHistory(Parser app, Action& chosen);
void AddInstallService(Parser app, Action& chosen);
void AddListen(Parser app, Action& chosen);  // listen, finish, toggle, cancel, reload
void AddModels(Parser app, Action& chosen);
void AddPlan(Parser app, Action& chosen);
void AddStatus(Parser app, Action& chosen);
void AddReport(Parser app, Action& chosen);
void AddRun(Parser app, Action& chosen);
void AddToken(Parser app, Action& chosen);
void AddTop(Parser app, Action& chosen);
void AddTranscribe(Parser app, Action& chosen);
void AddWatch(Parser app, Action& chosen);
void AddYield(Parser app, Action& chosen);

}  // namespace headroom::cli
