#include "net/http/web_route.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "net/control/route.h"

namespace headroom::net {
namespace {

using nlohmann::json;

struct Entry {
  std::string_view method, path;
  WebRoute route;
};
// What manages the service is done by the control socket's route of that name, /v1/… for /api/….
constexpr std::array kCommands = {
    Entry{"POST", "/api/drain", WebRoute::kCommand},
    Entry{"DELETE", "/api/drain", WebRoute::kCommand},
    Entry{"GET", "/api/models", WebRoute::kCommand},
    Entry{"POST", "/api/models/load", WebRoute::kCommand},
    Entry{"POST", "/api/models/unload", WebRoute::kCommand},
    Entry{"GET", "/api/history", WebRoute::kCommand},
    Entry{"GET", "/api/report", WebRoute::kCommand},
};
// A path that ends with / has a name after it.
constexpr std::array kEntries = {
    Entry{"POST", "/v1/audio/transcriptions", WebRoute::kTranscribe},
    Entry{"POST", "/v1/audio/translations", WebRoute::kTranslate},
    Entry{"GET", "/v1/models", WebRoute::kModels},
    Entry{"GET", "/v1/models/", WebRoute::kModel},
    Entry{"GET", "/v1/realtime", WebRoute::kRealtime},
    Entry{"GET", "/livez", WebRoute::kLive},
    Entry{"GET", "/readyz", WebRoute::kReady},
    Entry{"GET", "/metrics", WebRoute::kMetrics},
    Entry{"GET", "/api/events", WebRoute::kEvents},
    Entry{"GET", "/api/", WebRoute::kInspect},
};

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

}  // namespace

std::variant<WebTarget, WebError> FindWebRoute(std::string_view method, std::string_view target) {
  const std::string_view path = target.substr(0, std::min(target.find('?'), target.size()));
  if (method == "HEAD") method = "GET";
  WebError error;
  if (path.empty() || path.front() != '/') {
    error.message = "a request's target has to begin with /";
    return error;
  }
  std::string allow;
  std::optional<WebTarget> found;
  for (const Entry& entry : kCommands) {
    if (entry.path != path) continue;
    allow += (allow.empty() ? "" : ", ") + std::string(entry.method);
    if (entry.method == method)
      found = {WebRoute::kCommand, "/v1" + std::string(target.substr(4)), std::string(method)};
  }
  for (const Entry& entry : kEntries) {
    const bool named = entry.path.ends_with('/');
    if (!allow.empty() ||
        (named ? !path.starts_with(entry.path) || path == entry.path : path != entry.path))
      continue;
    allow = entry.method;
    if (entry.method == method)
      found = {entry.route, named ? std::string(path.substr(entry.path.size())) : ""};
  }
  if (allow.empty() && FindPageFile(path)) {
    allow = "GET";
    if (method == "GET") found = {WebRoute::kPage, std::string(path)};
  }
  if (allow.empty()) {
    error.status = 404;
    error.code = "unknown_url";
    std::vector<std::string> paths;
    for (const Entry& entry : kEntries) paths.emplace_back(entry.path);
    for (const Entry& entry : kCommands) paths.emplace_back(entry.path);
    const auto near = NearestNames(path.substr(0, 100), paths, 1);
    error.message = fmt::format("there is no {}{}", Printable(path.substr(0, 100)),
                                near.empty() ? "" : "; did you mean " + near.front() + "?");
    return error;
  }
  if (!found) {
    error.status = 405;
    error.code = "method_not_allowed";
    error.message = fmt::format("{} wants {}", Printable(path.substr(0, 100)), allow);
    error.allow = allow == "GET" ? "GET, HEAD" : allow;
    return error;
  }
  return *found;
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
