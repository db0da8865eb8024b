// headroom daemon: executes headroom-daemon, which keeps in memory only what the service needs.
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/cli/command.h"
#include "app/cli/daemon_options.h"
#include "app/cli/terminal.h"
#include "base/dirs.h"

namespace headroom::cli {
namespace {

int Become(const DaemonOptions& options) {
  const auto program = FindProgram("headroom-daemon");
  if (!program) return Complain(program.error());
  std::vector<std::string> words = {program->native()};
  const auto add = [&words](const char* option, const std::string& value) {
    if (!value.empty()) words.push_back(fmt::format("{}={}", option, value));
  };
  add("--config", options.config);
  add("--state", options.state);
  for (const std::string& setting : options.settings) add("--set", setting);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program->c_str(), arguments.data());
  return Complain({Errc::kIo, fmt::format("run {}: {}", program->string(), std::strerror(errno))});
}

}  // namespace

void AddDaemon(Parser app, Action& chosen) {
  Parser command =
      app.Add("daemon", "Run the dictation service in the foreground, as systemd does.");
  const auto options = AddDaemonOptions(command);
  command.OnChosen([options, &chosen] { chosen = [options] { return Become(*options); }; });
}

}  // namespace headroom::cli
