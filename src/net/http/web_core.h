// What the listening side (web_server.cc), the seats (web_seats.cc) and the connections
// (web_session.h) of the HTTP server share. Only for those.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <set>

#include "net/control/control.h"
#include "net/http/web_server.h"
#include "net/realtime/realtime_slot.h"
#include "net/server/connection_server.h"
#include "net/server/tokens.h"
#include "net/server/web_access.h"
#include "net/server/web_tls.h"

namespace headroom::net {

using Tcp = asio::ip::tcp;

// One connection, as the server sees it.
class WebServer::Session : public ConnectionServer::Connection {
 public:
  using ConnectionServer::Connection::Connection;
  /// Since when it sends its recording; nullopt: it does not, or fast enough.
  virtual std::optional<MonoTime> UploadsSlowlySince(MonoTime now) const = 0;
  /// Its place is for somebody faster.
  virtual void CutUpload() = 0;
  /// One more event, when this one follows them.
  virtual void Tell(const std::shared_ptr<const std::string>& event) = 0;
};

// Everything but the counters belongs to the server's thread.
struct WebServer::Core final : std::enable_shared_from_this<WebServer::Core>,
                               ConnectionServer::Owner {
  Core(WebOptions with, SpeechService& to, ControlService* by, ListenAddress at,
       std::unique_ptr<TlsTerminator> terminator)
      : options(std::move(with)),
        service(to),
        control(by),
        listen(at),
        tls(std::move(terminator)),
        rules(listen, options.hosts, options.origins, tls != nullptr),
        gate(options.tokens, !listen.address.is_loopback()) {}

  Result<> Begin();
  bool MayConnect(int) override { return true; }  // who asks without a token learns that
  void Serve(Fd peer) override;
  void Greet(Tcp::socket peer);
  bool MakeRoom() override;
  void OnEnd() override;
  bool MakeRoomForUpload();
  RealtimeSlotOf* Quietest(MonoTime since);
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
  ControlService* const control;  // nullptr: nothing can be managed
  const ListenAddress listen;
  std::unique_ptr<TlsTerminator> tls;  // nullptr: plain text
  const SiteRules rules;
  TokenGate gate;
  std::uint16_t port = 0;
  bool draining = false;
  std::size_t uploads = 0;
  std::set<RealtimeSlotOf*> seats;  // each takes itself out
  Counted<WebCounters> counters;
  std::atomic<std::uint64_t> next_event{1};
  std::atomic<std::size_t> posted{0};       // events on their way to the thread
  std::atomic<std::size_t> subscribers{0};  // changed by the thread
  ConnectionServer connections{*this, options.most_connections};
  asio::steady_timer sweep{connections.io()};
};

// A realtime socket's place.
class WebServer::RealtimeSlotOf final : public RealtimeSlot {
 public:
  RealtimeSlotOf(Core& core, std::string client)
      : core_(core), client_(std::move(client)), place_(core.connections) {
    core_.seats.insert(this);
  }
  RealtimeSlotOf(const RealtimeSlotOf&) = delete;
  RealtimeSlotOf& operator=(const RealtimeSlotOf&) = delete;
  ~RealtimeSlotOf() override { core_.seats.erase(this); }

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
  Core& core_;
  const std::string client_;
  const ConnectionServer::Place place_;
};

}  // namespace headroom::net
