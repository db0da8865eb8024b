// headroom status: prints the daemon's status once, or every change.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/status_show.h"
#include "app/cli/terminal.h"
#include "base/text.h"
#include "net/control/event_json.h"
#include "net/control/status.h"

namespace headroom::cli {
namespace {

using nlohmann::json;

constexpr int kLookAgainMs = 2000;

struct Options {
  std::string socket, format = "text";
  bool follow = false;
};

Result<int> Once(const Options& options) {
  Result<json> answer = Daemon(options.socket).Ask("GET", "/v1/status");
  if (options.format == "waybar" && !answer && answer.error().code == Errc::kNotFound) {
    fmt::print("{}\n", WaybarLine(nullptr));
    return kOk;
  }
  if (!answer) return Fail(std::move(answer.error()));
  TRY_ASSIGN(const net::Status status, net::ParseStatus(*answer));
  if (options.format == "json")
    PrintJson(*answer);
  else if (options.format == "waybar")
    fmt::print("{}\n", WaybarLine(&status));
  else
    fmt::print("{}", StatusText(status));
  return kOk;
}

// On a terminal the state is one line that is rewritten, with texts above it; elsewhere each change
// is a line.
class TextFollower {
 public:
  TextFollower() : on_terminal_(::isatty(STDOUT_FILENO) == 1) {}
  ~TextFollower() {
    if (on_terminal_) fmt::print("\n");
  }

  void Take(const net::Event& event) {
    const bool shown = std::visit([this](const auto& e) { return On(e); }, event);
    if (shown) ShowState();
  }

 private:
  // Whether the event shows.
  bool On(const net::StatusChanged& event) {
    status_ = event.status;
    return true;
  }
  bool On(const net::PartialText& event) {
    status_.partial = event.committed + event.tentative;
    return on_terminal_;
  }
  bool On(const net::TextDelivered& event) {
    status_.partial.clear();
    Above(fmt::format("text: {}", Printable(event.text)));
    return true;
  }
  bool On(const net::TargetTried& event) {
    if (!event.failure) return false;
    Above(fmt::format("not delivered to {}: {}", Printable(event.target),
                      Printable(event.failure->what)));
    return true;
  }
  bool On(const net::Warning& event) {
    Above(fmt::format("warning: {}", Printable(event.error.what)));
    return true;
  }
  bool On(const auto&) const { return false; }

  void Above(const std::string& line) {
    fmt::print("{}{}\n", on_terminal_ ? "\r\033[K" : "", line);
  }
  void ShowState() {
    if (!on_terminal_) status_.partial.clear();
    std::string line = StatusLine(status_);
    if (on_terminal_)
      fmt::print("\r\033[K{}", FitTerminal(line));
    else if (line != last_)
      fmt::print("{}\n", line);
    std::fflush(stdout);
    last_ = std::move(line);
  }

  bool on_terminal_;
  net::Status status_;
  std::string last_;
};

Result<int> FollowText(const Options& options) {
  TextFollower follower;
  TRY(Daemon(options.socket)
          .Follow(
              "GET", "/v1/events",
              [&](std::string_view name, const json& data) {
                if (const auto event = net::EventFromJson(name, data)) follower.Take(*event);
                return true;
              },
              &InterruptToken()));
  return kOk;
}

Result<int> FollowJson(const Options& options) {
  TRY(Daemon(options.socket)
          .Follow(
              "GET", "/v1/events",
              [&](std::string_view name, const json& data) {
                const json line = {{"event", name}, {"data", data}};
                fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
                return std::fflush(stdout) == 0;
              },
              &InterruptToken()));
  return kOk;
}

// A bar runs its module for as long as the bar lives, so this waits for the daemon to come back.
Result<int> FollowWaybar(const Options& options) {
  std::string last;
  const auto show = [&](const net::Status* status) {
    std::string line = WaybarLine(status);
    if (line != last) fmt::print("{}\n", line);
    last = std::move(line);
    return std::fflush(stdout) == 0;
  };
  for (;;) {
    const auto ended = Daemon(options.socket)
                           .Follow(
                               "GET", "/v1/events?only=status",
                               [&](std::string_view, const json& data) {
                                 const auto status = net::ParseStatus(data);
                                 return !status || show(&*status);
                               },
                               &InterruptToken());
    if (ended || ended.error().code == Errc::kCancelled || !show(nullptr)) return kOk;
    pollfd interrupt{InterruptToken().fd(), POLLIN, 0};
    if (::poll(&interrupt, 1, kLookAgainMs) == 1) return kOk;
  }
}

Result<int> Run(const Options& options) {
  if (!options.follow) return Once(options);
  Result<int> code = options.format == "json"     ? FollowJson(options)
                     : options.format == "waybar" ? FollowWaybar(options)
                                                  : FollowText(options);
  if (!code && code.error().code == Errc::kCancelled) return kOk;  // Ctrl-C is the usual end
  return code;
}

}  // namespace

void AddStatus(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser status = app.Add("status", "Show the daemon's status.");
  status.AddFlag("--follow", options->follow, "Keep showing changes until Ctrl-C");
  status.AddOption("-f,--format", options->format, "text, json or waybar")
      .OneOf({"text", "json", "waybar"});
  AddSocketOption(status, options->socket);
  status.Footer("Fields and events: docs/control.md.");
  status.OnChosen(Runs(chosen, options, Run));
}

}  // namespace headroom::cli
