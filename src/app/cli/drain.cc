// headroom drain: refuses new work from other programs, before maintenance.
#include <poll.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "net/control/status.h"

namespace headroom::cli {
namespace {

constexpr int kLookMs = 300;

struct Options {
  std::string socket;
  bool off = false, wait = false;
};

Result<int> Drain(const Options& options) {
  const net::ControlClient daemon = Daemon(options.socket);
  TRY_ASSIGN(nlohmann::json answer, daemon.Ask(options.off ? "DELETE" : "POST", "/v1/drain"));
  TRY_ASSIGN(net::Status status, net::ParseStatus(answer));
  while (options.wait && status.draining && status.clients > 0) {
    ::poll(nullptr, 0, kLookMs);
    TRY_ASSIGN(answer, daemon.Ask("GET", "/v1/status"));
    TRY_ASSIGN(status, net::ParseStatus(answer));
  }
  if (options.wait && !status.draining)
    return Fail(Errc::kCancelled, "draining was ended by another command");
  fmt::print("{}, {} served\n", status.draining ? "draining" : "taking work", status.clients);
  return kOk;
}

}  // namespace

void AddDrain(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser command =
      app.Add("drain", "Refuse new work from other programs, and finish what they have begun.");
  AddSocketOption(command, options->socket);
  Option off = command.AddFlag("--off", options->off, "Accept work again");
  command.AddFlag("--wait", options->wait, "Return when all of their work is done").Excludes(off);
  command.Footer("Dictation goes on. Restarting the daemon ends draining.");
  command.OnChosen(Runs(chosen, options, Drain));
}

}  // namespace headroom::cli
