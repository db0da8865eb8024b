// What the connections of one HTTP listener share: limits, counters, access, routes. The control
// socket has one and the HTTP server for programs has one; their sessions are of one type
// (http_session.cc). Only for files that speak Asio.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/server/byte_stream.h"
#include "net/server/connection_server.h"
#include "net/server/http_exchange.h"
#include "net/server/routes.h"

namespace headroom::net {

struct HttpLimits {
  Bytes header = KiB(16), body = KiB(64);
  Milliseconds header_time{15'000};       // to send a header, or to be idle before one
  Milliseconds body_time{30'000};         // between two pieces of a body
  Milliseconds write_time{15'000};        // for a client to take what it is sent
  Milliseconds keep_alive{15'000};        // between two comments on an event stream
  std::size_t events_waiting = SIZE_MAX;  // for a client that does not read
  Bytes bytes_waiting = KiB(512);         // of them
  double requests_per_second = 0;         // of one connection, and as many together; 0: no limit
  const Clock* clock = &SystemClock();    // for requests_per_second
};

class HttpHost : public ConnectionServer::Owner {
 public:
  explicit HttpHost(const HttpLimits& with) : limits(with) {}
  HttpHost(const HttpHost&) = delete;
  HttpHost& operator=(const HttpHost&) = delete;

  /// Whether this request may reach its handler. `route`: nullptr when there is none. false: it has
  /// been answered.
  virtual bool Admit(Exchange& exchange, const Route* route) = 0;
  virtual HttpAnswer AnswerFor(const HttpRefusal& refusal) = 0;
  /// Fields that every answer and every event stream has.
  virtual void AddFields(const Exchange& exchange, HttpFields& fields) const = 0;
  virtual void CountChange(void (*change)(HttpCounters&)) = 0;
  virtual ConnectionServer& server() = 0;
  virtual const RouteTable& table() const = 0;
  /// Keeps it alive while another thread posts.
  virtual std::weak_ptr<HttpHost> weak() = 0;

  /// One event to every follower. Any thread, never blocks; lost when the server does not keep up.
  void PublishText(std::string name, std::shared_ptr<const std::string> text);

  const HttpLimits limits;
  std::atomic<std::uint64_t> next_event{1};
  std::atomic<std::size_t> posted{0};       // events on their way to the thread
  std::atomic<std::size_t> subscribers{0};  // changed by the thread

 protected:
  ~HttpHost() = default;
};

/// Serves one connection; its handlers own it.
void ServeHttp(HttpHost& host, ByteStream stream);

}  // namespace headroom::net
