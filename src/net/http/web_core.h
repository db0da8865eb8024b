// What the parts of the HTTP server for programs share: who may ask (web_server.cc), the realtime
// sockets (web_slots.cc), the routes (web_routes.cc). Only for those.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>

#include "net/control/control_routes.h"
#include "net/http/web_error.h"
#include "net/http/web_server.h"
#include "net/realtime/realtime_slot.h"
#include "net/server/http_host.h"
#include "net/server/tls.h"
#include "net/server/tokens.h"
#include "net/server/web_access.h"

namespace headroom::net {

class UploadWork;
class WebRealtimeSlot;

// Everything but the counters belongs to the server's thread.
struct WebCore final : std::enable_shared_from_this<WebCore>, HttpHost {
  WebCore(WebOptions with, SpeechService& to, ControlService* by, ListenAddress at,
          std::shared_ptr<TlsContext> context);

  Result<> Begin();

  // ---- ConnectionServer::Owner ----
  bool MayConnect(int) override { return true; }  // a client without a token is answered so
  void Serve(Fd peer) override;
  bool MakeRoom() override;
  void OnEnd() override;

  // ---- HttpHost ----
  bool Admit(Exchange& exchange, const Route* route) override;
  HttpAnswer AnswerFor(const HttpRefusal& refusal) override;
  void AddFields(const Exchange& exchange, HttpFields& fields) const override;
  void CountChange(void (*change)(HttpCounters&)) override { counters.Count(change); }
  ConnectionServer& server() override { return connections; }
  const RouteTable& table() const override { return routes; }
  std::weak_ptr<HttpHost> weak() override { return weak_from_this(); }

  void RefuseForService(Exchange& exchange, const WebError& error);
  /// Ends the oldest of the uploads that hardly come; false: there is none.
  bool MakeRoomForUpload();
  WebRealtimeSlot* Quietest(MonoTime since);
  void Sweep();
  void Drain(bool on);

  template <class Change>
  void Count(Change change) {
    counters.Count(change);
  }
  WebCounters Counters() const {
    WebCounters now = counters.Now();
    static_cast<ConnectionCounters&>(now) = connections.counters();
    now.subscribers = subscribers;
    return now;
  }

  const WebOptions options;
  SpeechService& service;
  const ListenAddress listen;
  std::shared_ptr<TlsContext> tls;  // nullptr: plain text
  const SiteRules rules;
  TokenGate gate;
  std::uint16_t port = 0;
  bool draining = false;
  std::set<UploadWork*> uploads;     // each takes itself out
  std::set<WebRealtimeSlot*> slots;  // the same
  Counted<WebCounters> counters;
  std::optional<ControlBackend> control;  // nullopt: nothing can be managed
  const RouteTable routes;
  ConnectionServer connections;  // its connections use what is above
  asio::steady_timer sweep{connections.io()};

 private:
  bool AdmitSite(Exchange& exchange);
  bool AdmitToken(Exchange& exchange, const Route* route);
  bool AdmitCommand(Exchange& exchange, const Route& route);
  void AnswerPreflight(Exchange& exchange);
};

// Counts a realtime socket among the connections.
class WebRealtimeSlot final : public RealtimeSlot {
 public:
  WebRealtimeSlot(WebCore& core, std::string client)
      : core_(core), client_(std::move(client)), permit_(core.connections) {
    core_.slots.insert(this);
  }
  WebRealtimeSlot(const WebRealtimeSlot&) = delete;
  WebRealtimeSlot& operator=(const WebRealtimeSlot&) = delete;
  ~WebRealtimeSlot() override { core_.slots.erase(this); }

  void OnSlowReader() override {
    core_.Count([](WebCounters& c) { ++c.slow_readers; });
  }
  const std::string& client() const { return client_; }
  void End() {
    if (const auto once = std::exchange(on_end, nullptr)) once();
  }
  void Drain() {
    if (const auto once = std::exchange(on_drain, nullptr)) once();
  }
  bool may_quiet() const { return on_quiet != nullptr; }
  void Quiet(const char* why) {
    core_.Count([](WebCounters& c) { ++c.quiet; });
    if (const auto once = std::exchange(on_quiet, nullptr)) once(why);
  }

 private:
  WebCore& core_;
  const std::string client_;
  const ConnectionServer::Permit permit_;
};

}  // namespace headroom::net
