#include "net/control/control_routes.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "net/control/arguments.h"
#include "net/control/control_work.h"
#include "net/control/json_text.h"
#include "net/server/event_follower.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using Parse = Call (*)(Arguments&);
using Render = CommandWork::Render;

// ---- answers ----

HttpAnswer AsJson(ControlBackend&, json& result) {
  return {.body = Dump(result) + '\n'};
}
HttpAnswer AsStatus(ControlBackend& backend, json& result) {
  backend.add_status(result);
  return AsJson(backend, result);
}
HttpAnswer AsPage(ControlBackend&, json& result) {
  return {.type = "text/html; charset=utf-8",
          .body = result.value("html", ""),
          .fields = {{"Content-Security-Policy", kFramePolicy}}};
}

// ---- commands ----

template <auto method>
Call Plain(Arguments&) {
  return [](ControlService& service, Answer answer) { (service.*method)(std::move(answer)); };
}

Call Listen(Arguments& arguments) {
  return
      [request = ListenRequest{arguments.Text("language")}](
          ControlService& service, Answer answer) { service.Listen(request, std::move(answer)); };
}

Call Drain(Arguments& arguments) {
  return [on = arguments.Flag("drain", true)](ControlService& service, Answer answer) {
    service.SetDraining(on, std::move(answer));
  };
}

Call EndDrain(Arguments&) {
  return
      [](ControlService& service, Answer answer) { service.SetDraining(false, std::move(answer)); };
}

Call Report(Arguments& arguments) {
  return [since = arguments.Text("since")](ControlService& service, Answer answer) {
    service.GetReport(since.empty() ? "12h" : since, std::move(answer));
  };
}

Call History(Arguments& arguments) {
  HistoryRequest request;
  request.limit = static_cast<int>(arguments.Whole("limit", 1, 1000).value_or(20));
  request.undelivered_only = arguments.Flag("undelivered");
  return [request](ControlService& service, Answer answer) {
    service.GetHistory(request, std::move(answer));
  };
}

Call PasteHistory(Arguments& arguments) {
  return [id = arguments.Whole("id", 1, INT64_MAX)](ControlService& service, Answer answer) {
    service.PasteHistory(id, std::move(answer));
  };
}

// ---- what takes longer ----

void FollowEvents(Exchange& exchange, ControlBackend& backend, Arguments& arguments) {
  std::vector<std::string> only;
  for (const std::string& name : Split(arguments.Text("only"), ',')) {
    if (!name.empty()) only.push_back(name);
  }
  if (const auto wrong = arguments.Left()) return exchange.Send(backend.fail(*wrong, 400));
  exchange.Begin(std::make_unique<EventFollower>(exchange, backend.followers, std::move(only)));
  exchange.WatchPeer();
  exchange.KeepAlive();
  if (!exchange.Push("")) return;  // the head does not wait for the status
  Ask(exchange, backend, Plain<&ControlService::GetStatus>(arguments),
      [&exchange, &backend](const Result<json>& status) {
        const std::uint64_t id = backend.next_event++;
        exchange.Push(status ? EventText(id, "status", *status)
                             : EventText(id, "error", ErrorJson(status.error())));
      });
}

void Yield(Exchange& exchange, ControlBackend& backend, Arguments& arguments) {
  const std::string who = Printable(arguments.Text("who")).substr(0, 200);
  if (const auto wrong = arguments.Left()) return exchange.Send(backend.fail(*wrong, 400));
  auto work = std::make_unique<YieldWork>(exchange, backend);
  YieldWork& begun = *work;
  exchange.Begin(std::move(work));
  begun.Start(who);
}

void Recognize(Exchange& exchange, ControlBackend& backend, Arguments& arguments) {
  if (!arguments.Has("fd")) arguments.SetWrong("fd is missing: a file descriptor of yours");
  const int fd = static_cast<int>(arguments.Whole("fd", 0, INT32_MAX).value_or(-1));
  RecognizeRequest request;
  speech::ForEachOption(
      request, [&arguments](const char* name, auto& value) { arguments.Get(name, value); });
  if (const auto wrong = arguments.Left()) return exchange.Send(backend.fail(*wrong, 400));
  auto audio = OpenOfClient(exchange, fd);
  if (!audio) return exchange.Send(backend.fail(audio.error(), HttpStatus(audio.error().code)));
  request.audio = std::move(*audio);
  auto work = std::make_unique<RecognitionWork>(exchange, backend);
  RecognitionWork& begun = *work;
  exchange.Begin(std::move(work));
  begun.Start(std::move(request));
}

// ---- handlers ----

using Handler = std::function<void(Exchange&)>;

// Reads the request's arguments first; `then` begins other work or answers.
Handler WithArguments(ControlBackend& backend, ReadArguments::Then then) {
  return [&backend, then = std::move(then)](Exchange& exchange) {
    exchange.Begin(std::make_unique<ReadArguments>(exchange, backend, then));
    exchange.ReadBody(backend.body_time);
  };
}

Handler Command(ControlBackend& backend, Parse parse, Render render) {
  return WithArguments(
      backend, [parse, render](Exchange& exchange, ControlBackend& with, Arguments& arguments) {
        const Call call = parse(arguments);
        if (const auto wrong = arguments.Left()) return exchange.Send(with.fail(*wrong, 400));
        auto work = std::make_unique<CommandWork>(exchange, with, render);
        CommandWork& begun = *work;
        exchange.Begin(std::move(work));
        begun.Start(call);
      });
}

}  // namespace

std::vector<Route> ControlRoutes(ControlBackend& backend) {
  using Service = ControlService;
  const auto command = [&backend](Parse parse, Render render = AsJson) {
    return Command(backend, parse, render);
  };
  const auto reads = [&backend](auto then) { return WithArguments(backend, then); };
  return {
      {"POST", "/v1/listen", Access::kSocket, command(Listen)},
      {"POST", "/v1/finish", Access::kSocket, command(Plain<&Service::Finish>)},
      {"POST", "/v1/toggle", Access::kSocket, command(Plain<&Service::Toggle>)},
      {"POST", "/v1/cancel", Access::kSocket, command(Plain<&Service::Cancel>)},
      {"POST", "/v1/reload", Access::kSocket, command(Plain<&Service::Reload>)},
      {"POST", "/v1/shutdown", Access::kSocket, command(Plain<&Service::Shutdown>)},
      {"GET", "/v1/status", Access::kSocket, command(Plain<&Service::GetStatus>, AsStatus)},
      {"GET", "/v1/events", Access::kSocket, reads(FollowEvents)},
      {"POST", "/v1/yield", Access::kSocket, reads(Yield)},
      {"POST", "/v1/recognize", Access::kSocket, reads(Recognize)},
      {"POST", "/v1/history/paste", Access::kSocket, command(PasteHistory)},

      {"GET", "/v1/history", Access::kSocket, command(History)},
      {"GET", "/api/history", Access::kHistory, command(History)},
      {"DELETE", "/v1/history", Access::kSocket, command(Plain<&Service::ClearHistory>)},
      {"POST", "/v1/drain", Access::kSocket, command(Drain)},
      {"POST", "/api/drain", Access::kOwnSite, command(Drain)},
      {"DELETE", "/v1/drain", Access::kSocket, command(EndDrain)},
      {"DELETE", "/api/drain", Access::kOwnSite, command(EndDrain)},
      {"GET", "/v1/report", Access::kSocket, command(Report)},
      {"GET", "/api/report", Access::kToken, command(Report, AsPage)},
      {"GET", "/v1/models", Access::kSocket, command(Plain<&Service::GetModels>)},
      {"GET", "/api/models", Access::kToken, command(Plain<&Service::GetModels>)},
      {"POST", "/v1/models/load", Access::kSocket, command(Plain<&Service::LoadModel>)},
      {"POST", "/api/models/load", Access::kOwnSite, command(Plain<&Service::LoadModel>)},
      {"POST", "/v1/models/unload", Access::kSocket, command(Plain<&Service::UnloadModel>)},
      {"POST", "/api/models/unload", Access::kOwnSite, command(Plain<&Service::UnloadModel>)},
  };
}

std::vector<Route> RoutesOn(std::vector<Route> routes, bool socket) {
  std::erase_if(
      routes, [socket](const Route& route) { return (route.access == Access::kSocket) != socket; });
  return routes;
}

}  // namespace headroom::net
