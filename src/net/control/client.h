// A client of the control socket: what the commands use. Blocking; one thread at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::net {

class ControlClient {
 public:
  /// Connects only when asked something.
  explicit ControlClient(std::filesystem::path socket) : socket_(std::move(socket)) {}

  /// "POST", "/v1/listen". The service's own errors come back as they were; kNotFound when no
  /// daemon listens there, with what to do; kCancelled once `cancel` was raised. `within` 0: for
  /// ever.
  Result<nlohmann::json> Ask(const std::string& method, const std::string& target,
                             const nlohmann::json& body = nullptr,
                             Milliseconds within = Milliseconds(65'000),
                             CancelToken* cancel = nullptr) const;

  /// Returns false to end the stream.
  using OnEvent = std::function<bool(std::string_view name, const nlohmann::json& data)>;
  /// Follows GET /v1/events or POST /v1/yield until `on_event` says so, `cancel` is raised
  /// (kCancelled) or the daemon ends (kNetwork).
  Result<> Follow(const std::string& method, const std::string& target, const OnEvent& on_event,
                  CancelToken* cancel = nullptr, const nlohmann::json& body = nullptr) const;

 private:
  std::filesystem::path socket_;
};

/// Cuts a text/event-stream into events; bytes may come in any pieces. Comments are skipped.
class EventParser {
 public:
  struct Event {
    std::string name, data;
  };
  /// kProtocol when an event is larger than 1 MiB; then no more is taken.
  Result<> Feed(std::string_view bytes, const std::function<void(const Event&)>& on_event);

 private:
  std::string line_;
  Event event_;
};

}  // namespace headroom::net
