// headroom config check | show | path | example.
#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "app/config/config.h"
#include "app/config/config_keys.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

fs::path PathOf(const std::string& file) {
  return file.empty() ? app::ConfigPath() : fs::path(file);
}

Result<int> Check(const std::string& file) {
  const fs::path path = PathOf(file);
  auto text = ReadFile(path, MiB(1));
  if (!text && file.empty() && text.error().code == Errc::kNotFound) {
    fmt::print("{} does not exist; every key has its default\n", path.string());
    return kOk;
  }
  if (!text) return Fail(std::move(text.error()));
  const app::ConfigReading reading = app::ReadConfig(*text);
  for (const app::ConfigProblem& problem : reading.problems)
    fmt::print("{}:{}: {}\n", path.string(), problem.line, problem.text);
  if (!reading.problems.empty()) return kUsage;
  const auto changed = app::Difference({}, reading.config);
  const std::size_t count = changed.live.size() + changed.restart.size();
  fmt::print("{}: valid, {} changed from the default\n", path.string(), CountOf(count, "key"));
  return kOk;
}

Result<int> Show(const std::string& file) {
  TRY_ASSIGN(const app::Config config, app::LoadConfig(PathOf(file)));
  fmt::print("{}", app::WriteConfig(config));
  return kOk;
}

}  // namespace

void AddConfig(Parser app, Action& chosen) {
  const auto file = std::make_shared<std::string>();
  Parser config = app.Add("config", "Check and show the configuration.");
  config.RequireCommand();
  config.Footer("All keys: docs/config.md.");

  Parser check = config.Add("check", "List every mistake with its line number.");
  check.AddOption("FILE", *file, "Instead of your own");
  check.OnChosen(Runs(chosen, [=] { return Check(*file); }));

  Parser show = config.Add("show", "Print every key with its effective value.");
  show.AddOption("FILE", *file, "Instead of your own");
  show.OnChosen(Runs(chosen, [=] { return Show(*file); }));

  config.Add("path", "Print the path of the configuration file.").OnChosen([&chosen] {
    chosen = [] {
      fmt::print("{}\n", app::ConfigPath().string());
      return kOk;
    };
  });
  config.Add("example", "Print an example file with every key commented out.").OnChosen([&chosen] {
    chosen = [] {
      fmt::print("{}", app::ExampleConfig());
      return kOk;
    };
  });
}

}  // namespace headroom::cli
