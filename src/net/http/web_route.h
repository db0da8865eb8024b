// Which of the HTTP server's routes a request is for, and the small answers. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "net/http/web_error.h"
#include "net/http/web_server.h"
#include "net/server/speech_service.h"

namespace headroom::net {

enum class WebRoute {
  kTranscribe,
  kTranslate,
  kModels,
  kModel,  // name: its id
  kLive,
  kReady,
  kMetrics,
  kInspect,  // name: of SpeechService::Inspect
  kEvents,
  kCommand,  // method and name: the control socket's route that does it
  kPage,     // name: its path; needs no token, since there is nothing in it
  kRealtime,
};
struct WebTarget {
  WebRoute route = WebRoute::kPage;
  std::string name{};
  std::string method{};
};
/// HEAD counts as GET.
std::variant<WebTarget, WebError> FindWebRoute(std::string_view method, std::string_view target);

std::string ModelsJson(const ServiceState& state);
/// nullopt: there is no such model.
std::optional<std::string> ModelJson(const ServiceState& state, std::string_view id);
std::string ReadyJson(const ServiceState& state);

struct PageFile {
  std::string_view path, type, text;
};
/// nullptr: there is no such file.
const PageFile* FindPageFile(std::string_view path);

}  // namespace headroom::net
