// What the control routes do after their handlers have returned.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "net/control/arguments.h"
#include "net/control/control.h"
#include "net/control/control_routes.h"
#include "net/server/http_exchange.h"

namespace headroom::net {

/// Asks the service and has one answer.
using Call = std::function<void(ControlService&, Answer)>;

/// `then` is called on the server's thread unless the work at hand has ended by then; after the
/// backend's answer_time, with kTimeout.
void Ask(Exchange& exchange, ControlBackend& backend, const Call& call,
         std::function<void(Result<nlohmann::json>)> then);

/// What the client of a Unix socket has open as its descriptor `fd`.
Result<Fd> OpenOfClient(const Exchange& exchange, int fd);

/// The body of a request, until `then` begins other work or answers.
class ReadArguments final : public HttpWork {
 public:
  using Then = std::function<void(Exchange&, ControlBackend&, Arguments&)>;
  ReadArguments(Exchange& exchange, ControlBackend& backend, Then then)
      : HttpWork(exchange), backend_(backend), then_(std::move(then)) {}
  void OnBody(std::string_view bytes) override;
  void OnBodyEnd() override;

 private:
  ControlBackend& backend_;
  const Then then_;
  std::string body_;
};

class CommandWork final : public HttpWork {
 public:
  using Render = HttpAnswer (*)(ControlBackend&, nlohmann::json&);
  CommandWork(Exchange& exchange, ControlBackend& backend, Render render)
      : HttpWork(exchange), backend_(backend), render_(render) {}
  void Start(const Call& call);
  void OnServerEnd() override;

 private:
  ControlBackend& backend_;
  const Render render_;
};

/// A program has the GPU for as long as this lives.
class YieldWork final : public HttpWork {
 public:
  YieldWork(Exchange& exchange, ControlBackend& backend)
      : HttpWork(exchange), backend_(backend), id_(++backend.last_yield) {}
  ~YieldWork() override;
  void Start(const std::string& who);

 private:
  ControlBackend& backend_;
  YieldId id_;  // 0: refused, so that nothing has to be ended
};

class RecognitionWork final : public HttpWork {
 public:
  RecognitionWork(Exchange& exchange, ControlBackend& backend)
      : HttpWork(exchange), backend_(backend), id_(++backend.last_recognition) {}
  ~RecognitionWork() override;
  void Start(RecognizeRequest request);

 private:
  ControlBackend& backend_;
  const RecognitionId id_;
};

}  // namespace headroom::net
