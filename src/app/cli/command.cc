#include "app/cli/command.h"

#include <CLI/CLI.hpp>

#include "app/cli/exit_code.h"

namespace headroom::cli {

Option Option::Required() {
  option_->required();
  return *this;
}

Option Option::OneOf(const std::vector<std::string>& choices) {
  option_->check(CLI::IsMember(choices));
  return *this;
}

Option Option::InRange(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::TypeName(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option Option::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Option Option::OneValueEach() {
  option_->allow_extra_args(false);
  return *this;
}

Option Option::Needs(Option other) {
  option_->needs(other.option_);
  return *this;
}

Option Option::Excludes(Option other) {
  option_->excludes(other.option_);
  return *this;
}

Parser Parser::Add(const std::string& name, const std::string& description) {
  return Parser(*app_->add_subcommand(name, description));
}

Option Parser::AddOption(const std::string& names, std::string& into, const std::string& text) {
  return Option(app_->add_option(names, into, text));
}

Option Parser::AddOption(const std::string& names, std::vector<std::string>& into,
                         const std::string& text) {
  return Option(app_->add_option(names, into, text));
}

Option Parser::AddOption(const std::string& names, int& into, const std::string& text) {
  return Option(app_->add_option(names, into, text));
}

Option Parser::AddOption(const std::string& names, std::vector<int>& into,
                         const std::string& text) {
  return Option(app_->add_option(names, into, text));
}

Option Parser::AddOption(const std::string& names, std::int64_t& into, const std::string& text) {
  return Option(app_->add_option(names, into, text));
}

Option Parser::AddFlag(const std::string& names, bool& into, const std::string& text) {
  return Option(app_->add_flag(names, into, text));
}

void Parser::RequireCommand(int least, int most) {
  app_->require_subcommand(static_cast<std::size_t>(least), static_cast<std::size_t>(most));
}

void Parser::Footer(const std::string& text) {
  app_->footer(text);
}

void Parser::Hide() {
  app_->group("");
}

void Parser::PositionalsAtEnd() {
  app_->positionals_at_end();
}

void Parser::OnChosen(std::function<void()> callback) {
  app_->callback(std::move(callback));
}

void Parser::OnEnd(std::function<void()> callback) {
  app_->final_callback(std::move(callback));
}

bool Parser::chosen() const {
  return app_->parsed();
}

bool Parser::subcommand_chosen() const {
  return !app_->get_subcommands().empty();
}

void RefuseUsage(const std::string& command, const std::string& what) {
  throw CLI::ValidationError(command, what);
}

Program::Program(const std::string& description, const std::string& name)
    : app_(std::make_unique<CLI::App>(description, name)) {}
Program::~Program() = default;

void Program::ShowVersion(const std::string& version) {
  app_->set_version_flag("--version", version);
}

std::optional<int> Program::Parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0 ? kOk : kUsage;
  }
  return std::nullopt;
}

}  // namespace headroom::cli
