// What the listening side (web_server.cc) and the connections (web_session.cc) of the HTTP server
// share. Only for those two, which speak Beast.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "api/control.h"
#include "api/realtime_socket.h"
#include "api/tokens.h"
#include "api/web_access.h"
#include "api/web_server.h"
#include "api/web_tls.h"

namespace headroom::api {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using BoostError = boost::system::error_code;

// One connection, as the server sees it.
class WebServer::Session {
 public:
  virtual ~Session() = default;
  virtual bool waiting() const = 0;  // for a request; may be closed for somebody else's sake
  virtual std::uint64_t age() const = 0;
  /// Since when it sends its recording; nullopt: it does not, or fast enough.
  virtual std::optional<MonoTime> UploadsSlowlySince(MonoTime now) const = 0;
  /// Its place is for somebody faster.
  virtual void CutUpload() = 0;
  /// The server ends: an answer on its way is still sent.
  virtual void End() = 0;
  /// One more event, when this one follows them.
  virtual void Tell(const std::shared_ptr<const std::string>& event) = 0;
  /// May be called twice. Destroys nothing: the handlers still own the session.
  virtual void Close() = 0;
};

// Everything but the counters belongs to the server's thread.
struct WebServer::Core : std::enable_shared_from_this<WebServer::Core> {
  Core(WebOptions with, SpeechService& to, ControlService* by, ListenAddress at,
       std::unique_ptr<TlsDoor> door)
      : options(std::move(with)),
        service(to),
        control(by),
        listen(at),
        tls(std::move(door)),
        rules(listen, options.hosts, options.origins, tls != nullptr),
        gate(options.tokens, !listen.address.is_loopback()) {}

  Result<> Begin();
  void Accept();
  void Serve(Tcp::socket peer);  // a new connection
  void OnAccept(const BoostError& failed, Tcp::socket peer);
  bool MakeRoom();
  bool MakeRoomForUpload();
  SeatOf* Quietest(MonoTime since);
  void Sweep();
  void Drain(bool on);
  void End();
  void Run();
  void OnGone() {
    Count([this](WebCounters& c) { c.open = Open(); });
    if (running && ending && Open() == 0 && relays == 0) farewell.cancel();
  }
  std::size_t Open() const { return sessions.size() + seats.size(); }

  template <class Change>
  void Count(Change change) {
    const std::lock_guard guard(mutex);
    change(counters);
  }
  WebCounters Counters() {
    const std::lock_guard guard(mutex);
    WebCounters now = counters;
    now.subscribers = subscribers;
    return now;
  }

  const WebOptions options;
  SpeechService& service;
  ControlService* const control;  // nullptr: nothing can be managed
  const ListenAddress listen;
  std::unique_ptr<TlsDoor> tls;  // nullptr: plain text
  const SiteRules rules;
  TokenGate gate;
  std::mutex mutex;
  WebCounters counters;         // guarded by mutex
  std::set<Session*> sessions;  // each takes itself out; outlives `io`, whose handlers own them
  std::set<SeatOf*> seats;      // the same
  std::size_t relays = 0;       // of `tls`, which outlive their sessions a little
  asio::io_context io{1};
  Tcp::acceptor acceptor{io};
  asio::steady_timer accept_again{io}, sweep{io}, farewell{io};
  std::uint16_t port = 0;
  bool running = false;  // the thread; false again once it has been joined
  bool ending = false;
  bool draining = false;
  std::atomic<std::uint64_t> next_event{1};
  std::atomic<std::size_t> posted{0};       // events on their way to the thread
  std::atomic<std::size_t> subscribers{0};  // changed by the thread
  std::uint64_t age = 0;  // grows with each wait for a request: the smallest waits longest
  std::size_t uploads = 0;
  std::thread thread;
};

// A realtime socket's place.
class WebServer::SeatOf : public Seat {
 public:
  SeatOf(Core& core, std::string client) : core_(core), client_(std::move(client)) {
    core_.seats.insert(this);
  }
  ~SeatOf() override {
    core_.seats.erase(this);
    core_.OnGone();
  }
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
};

}  // namespace headroom::api
