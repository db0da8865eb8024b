#include "net/http/web_routes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "net/control/json_text.h"
#include "net/http/transcription_work.h"
#include "net/http/web_core.h"
#include "net/http/web_error.h"
#include "net/page/page.h"
#include "net/realtime/realtime_socket.h"
#include "net/server/event_follower.h"

namespace headroom::net {
namespace {

using nlohmann::json;

constexpr char kPagePolicy[] =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'";

json Model(std::string_view id, const std::vector<std::string>& languages, bool loaded) {
  return {{"id", id},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "headroom"},
          {"languages", languages},
          {"loaded", loaded}};
}

// The name by which OpenAI's clients ask for whatever there is.
json Alias(const ServiceState& state) {
  const auto loaded = std::ranges::find_if(state.models, &ServedModel::loaded);
  if (loaded == state.models.end()) return Model("whisper-1", {}, false);
  return Model("whisper-1", loaded->languages, true);
}

// ---- handlers ----

using Handler = void (*)(Exchange&, WebCore&);

void ListModels(Exchange& exchange, WebCore& core) {
  exchange.Send({.body = ModelsJson(core.service.State())});
}

void ShowModel(Exchange& exchange, WebCore& core) {
  auto model = ModelJson(core.service.State(), exchange.name());
  if (model) return exchange.Send({.body = std::move(*model)});
  WebError error =
      BadField("model", "there is no such model; GET /v1/models has the list", "model_not_found");
  error.status = 404;
  exchange.Send(ToAnswer(error));
}

void SayAlive(Exchange& exchange, WebCore&) {
  exchange.Send({.type = "text/plain", .body = "alive\n"});
}

void SayReady(Exchange& exchange, WebCore& core) {
  const ServiceState state = core.service.State();
  HttpAnswer answer{.status = state.ready ? 200U : 503U, .body = ReadyJson(state)};
  if (!state.ready)
    answer.fields.emplace_back("Retry-After", std::to_string(RetryAfterSeconds(state)));
  exchange.Send(std::move(answer));
}

void ShowMetrics(Exchange& exchange, WebCore& core) {
  exchange.Send({.type = "text/plain; version=0.0.4; charset=utf-8",
                 .body = core.service.Metrics() + CountersText(core.Counters())});
}

void Inspect(Exchange& exchange, WebCore& core) {
  // Whatever else the service may show has a route of its own, with its own access.
  const bool shown = exchange.name() == "status" || exchange.name() == "plan";
  auto found = shown ? core.service.Inspect(std::string(exchange.name())) : std::nullopt;
  if (found) return exchange.Send({.body = std::move(*found)});
  exchange.Send(ToAnswer(BadRequest(404, "unknown_url", "there is no such part of the service")));
}

void FollowEvents(Exchange& exchange, WebCore& core) {
  if (core.subscribers >= core.options.most_subscribers)
    return core.RefuseForService(
        exchange,
        FromService({Errc::kBusy, "too many follow the events already"}, core.service.State()));
  exchange.Begin(std::make_unique<EventFollower>(exchange, core.subscribers));
  exchange.WatchPeer();
  exchange.KeepAlive();
  auto status = core.service.Inspect("status");
  if (!status) {
    exchange.Push(":\n\n");
    return;
  }
  std::ranges::replace(*status, '\n', ' ');  // an event's data is one line
  exchange.Push(fmt::format("id: {}\nevent: status\ndata: {}\n\n", core.next_event++, *status));
}

void OpenRealtime(Exchange& exchange, WebCore& core) {
  const auto refuse = [&exchange](unsigned status) {
    exchange.SendUnread(
        ToAnswer(BadRequest(status, "upgrade_required", "/v1/realtime is a WebSocket")));
  };
  if (!ListHas(exchange.Field("Upgrade"), "websocket") ||
      !ListHas(exchange.Field("Connection"), "upgrade"))
    return refuse(426);
  HttpHead head;
  const auto connection = exchange.TakeConnection(head);
  if (!connection) return refuse(400);
  core.Count([](WebCounters& c) { ++c.realtime; });
  auto slot = std::make_unique<WebRealtimeSlot>(core, exchange.client);
  WebRealtimeSlot& opened = *slot;
  ServeRealtime(std::move(*connection), head, core.service, std::move(slot));
  if (core.draining) opened.Drain();
}

HttpAnswer PageOf(const PageFile& file) {
  HttpAnswer answer{.type = std::string(file.type), .body = std::string(file.text)};
  if (file.type.starts_with("text/html"))
    answer.fields.emplace_back("Content-Security-Policy",
                               file.path == "/" ? kPagePolicy : kFramePolicy);
  return answer;
}

}  // namespace

std::vector<Route> WebRoutes(WebCore& core) {
  const auto no_body = [&core](Handler handler) {
    return [&core, handler](Exchange& exchange) {
      if (!exchange.has_body()) return handler(exchange, core);
      exchange.SendUnread(ToAnswer(BadRequest(400, "", "this route takes no body")));
    };
  };
  const auto upload = [&core](bool translate) {
    return [&core, translate](Exchange& exchange) { BeginUpload(exchange, core, translate); };
  };
  std::vector<Route> routes = {
      {"POST", "/v1/audio/transcriptions", Access::kToken, upload(false)},
      {"POST", "/v1/audio/translations", Access::kToken, upload(true)},
      {"GET", "/v1/models", Access::kToken, no_body(ListModels)},
      {"GET", "/v1/models/", Access::kToken, no_body(ShowModel)},
      {"GET", kRealtimePath, Access::kToken, no_body(OpenRealtime)},
      {"GET", "/livez", Access::kOpen, no_body(SayAlive)},
      {"GET", "/readyz", Access::kToken, no_body(SayReady)},
      {"GET", "/metrics", Access::kToken, no_body(ShowMetrics)},
      {"GET", "/api/events", Access::kToken, no_body(FollowEvents)},
      {"GET", "/api/", Access::kToken, no_body(Inspect)},
  };
  for (const PageFile& file : PageFiles())
    routes.push_back({"GET", file.path, Access::kOpen,
                      [&file](Exchange& exchange) { exchange.Send(PageOf(file)); }});
  if (core.control)
    std::ranges::move(RoutesOn(ControlRoutes(*core.control), false), std::back_inserter(routes));
  return routes;
}

std::string ModelsJson(const ServiceState& state) {
  json models = json::array();
  for (const ServedModel& model : state.models)
    models.push_back(Model(model.id, model.languages, model.loaded));
  models.push_back(Alias(state));
  return Dump({{"object", "list"}, {"data", std::move(models)}}) + '\n';
}

std::optional<std::string> ModelJson(const ServiceState& state, std::string_view id) {
  if (id == "whisper-1") return Dump(Alias(state)) + '\n';
  const auto found = std::ranges::find(state.models, id, &ServedModel::id);
  if (found == state.models.end()) return std::nullopt;
  return Dump(Model(found->id, found->languages, found->loaded)) + '\n';
}

std::string ReadyJson(const ServiceState& state) {
  json models = json::array();
  for (const ServedModel& model : state.models)
    models.push_back({{"id", model.id}, {"languages", model.languages}, {"loaded", model.loaded}});
  json body = {{"ready", state.ready},
               {"zone", state.zone},
               {"queue_seconds", static_cast<double>(state.queue.count()) / 1000},
               {"jobs", state.jobs},
               {"streams", state.streams},
               {"models", std::move(models)}};
  if (!state.ready) {
    body["reason"] = state.reason;
    body["retry_after_seconds"] = RetryAfterSeconds(state);
  }
  return Dump(body) + '\n';
}

}  // namespace headroom::net
