// headroom history: shows texts of the last hours and delivers one again.
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "base/text.h"
#include "net/control/status.h"

namespace headroom::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string socket;
  int limit = 20;
  std::int64_t id = 0;  // 0: not given
  bool undelivered = false, json = false;
};

Result<std::vector<net::HistoryEntry>> Entries(const json& answer) {
  const auto list = answer.find("entries");
  if (list == answer.end() || !list->is_array())
    return Fail(Errc::kProtocol, "the daemon sent no history");
  std::vector<net::HistoryEntry> entries;
  for (const json& value : *list) {
    TRY_ASSIGN(net::HistoryEntry entry, net::ParseHistoryEntry(value));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<json> Ask(const Options& options, int limit) {
  return Daemon(options.socket)
      .Ask("GET", fmt::format("/v1/history?limit={}&undelivered={}", limit, options.undelivered));
}

std::string LocalTime(WallTime at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%F %T", &local)};
}

Result<int> List(const Options& options) {
  TRY_ASSIGN(const json answer, Ask(options, options.limit));
  if (options.json) {
    PrintJson(answer);
    return kOk;
  }
  TRY_ASSIGN(const auto entries, Entries(answer));
  if (entries.empty()) Note("the history is empty");
  for (const net::HistoryEntry& entry : entries) {
    std::string text = Printable(entry.text);
    for (char& c : text) c = c == '\n' ? ' ' : c;
    fmt::print("{:>6}  {}  {:<11}  {}\n", entry.id, LocalTime(entry.at), Printable(entry.arrival),
               text);
  }
  return kOk;
}

Result<int> Show(const Options& options) {
  TRY_ASSIGN(const json answer, Ask(options, options.id == 0 ? 1 : 1000));
  TRY_ASSIGN(const auto entries, Entries(answer));
  for (const net::HistoryEntry& entry : entries) {
    if (options.id != 0 && entry.id != options.id) continue;
    fmt::print("{}\n", entry.text);
    return kOk;
  }
  return Fail(Errc::kNotFound, "no such text in the history; list them with: headroom history");
}

Result<int> Paste(const Options& options) {
  const json body = options.id == 0 ? json::object() : json{{"id", options.id}};
  TRY_ASSIGN(const json answer, Daemon(options.socket).Ask("POST", "/v1/history/paste", body));
  return kOk;
}

Result<int> Clear(const Options& options) {
  TRY_ASSIGN(const json answer, Daemon(options.socket).Ask("DELETE", "/v1/history"));
  const auto forgotten = answer.value("forgotten", std::size_t{0});
  fmt::print("deleted {}\n", CountOf(forgotten, "text"));
  return kOk;
}

void AddListOptions(Parser command, Options& options) {
  command.AddOption("-n,--limit", options.limit, "Number of texts, newest first").InRange(1, 1000);
  command.AddFlag("--undelivered", options.undelivered, "Only texts that no target received");
  command.AddFlag("--json", options.json, "Print JSON");
}

}  // namespace

void AddHistory(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser history = app.Add("history", "Show, deliver again or delete texts of the last hours.");
  history.RequireCommand(0, 1);
  history.OnChosen([history, list = Runs(chosen, options, List)] {
    if (!history.subcommand_chosen()) list();
  });
  Parser list = history.Add("list", "List texts: id, time, delivery state, text.");
  AddListOptions(list, *options);
  list.OnChosen(Runs(chosen, options, List));
  Parser show = history.Add("show", "Print one text in full.");
  show.AddOption("ID", options->id, "Id of the text; default: the newest");
  show.OnChosen(Runs(chosen, options, Show));
  Parser paste =
      history.Add("paste", "Deliver a text again: the newest undelivered one, else the newest.");
  paste.AddOption("ID", options->id, "Id of the text to deliver instead");
  paste.OnChosen(Runs(chosen, options, Paste));
  Parser clear = history.Add("clear", "Delete all texts.");
  clear.OnChosen(Runs(chosen, options, Clear));
  for (Parser command : {list, show, paste, clear}) AddSocketOption(command, options->socket);
}

}  // namespace headroom::cli
