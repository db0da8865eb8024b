// The HTTP server for programs on this machine and, when asked to, on the network: OpenAI's
// transcription routes, health, metrics, the page, and the way to the realtime WebSocket.
// docs/api.md has every route, field and error.
//
// One thread of its own, on which nothing waits. Everything a client can make grow is bounded and
// counted; a client that goes away takes its work along.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/control/control.h"
#include "net/control/event.h"
#include "net/server/counters.h"
#include "net/server/speech_service.h"

namespace headroom::net {

struct WebOptions {
  std::string listen = "127.0.0.1:7310";  // ADDRESS:PORT, [::1]:PORT; port 0: any free one
  /// Of `headroom token`. Where the file exists, every client needs a token of it; off loopback
  /// there must be one.
  std::filesystem::path tokens;
  std::vector<std::string> origins;  // web pages that may ask: "https://notes.example"
  std::vector<std::string> hosts;    // further names this machine is called by, in Host
  std::filesystem::path tls_certificate, tls_key;  // PEM
  bool insecure = false;  // off loopback without TLS: tokens and speech can be read on the way
  std::filesystem::path spool;  // where uploads lie, nameless; "" : StateDir()

  std::size_t most_connections = 256;
  std::size_t most_subscribers = 32;  // of events
  bool history = false;               // /api/history
  std::size_t most_uploads = 16;      // being received at once
  Milliseconds upload_wait{5'000};    // for one of them to end
  Bytes header_limit = KiB(16);
  Bytes upload_limit = GiB(1);
  Bytes answer_limit = MiB(64);          // of text in one answer
  Bytes bytes_waiting = KiB(512);        // of events for a client that does not read
  Milliseconds header_time{15'000};      // to send a request, or to be idle before one
  Milliseconds body_time{30'000};        // between two pieces of a body
  std::int64_t slowest_upload = 4096;    // bytes in a second, after body_time or when others wait
  Milliseconds write_time{15'000};       // for a client to take what it is sent
  Milliseconds keep_alive{15'000};       // a comment on an event stream
  Milliseconds command_time{60'000};     // for the service to carry out what manages it
  Milliseconds realtime_quiet{600'000};  // without audio; then it is closed, and may be resumed
  Milliseconds realtime_spare{60'000};   // the same when its place is wanted
  double requests_per_second = 50;       // of one connection, and as many at once
  const Clock* clock = &SystemClock();   // for requests_per_second
};

/// Since the server began; also in /metrics.
struct WebCounters : HttpCounters {
  std::uint64_t quiet = 0;          // realtime sockets closed because no audio came
  std::uint64_t refused_token = 0;  // no token, or one that is not known
  std::uint64_t refused_site = 0;   // a wrong Host or Origin
  std::uint64_t refused_busy = 0;   // 429 and 503 for the service's sake
  std::uint64_t uploads = 0;        // recordings given to the service
  std::uint64_t upload_bytes = 0;
  std::uint64_t realtime = 0;  // connections handed to the realtime socket
};
/// Prometheus text.
std::string CountersText(const WebCounters& counters);

struct WebCore;

class WebServer {
 public:
  /// Listens and serves until destroyed. kInvalid: an address that is none, or one off loopback
  /// without tokens, or without TLS and `insecure`; a certificate and a key that are
  /// none. kBusy: another program has the port.
  /// `service` and `control` outlive the server; without `control` nothing can be managed.
  static Result<std::unique_ptr<WebServer>> Start(WebOptions options, SpeechService& service,
                                                  ControlService* control = nullptr);
  ~WebServer();

  /// Realtime sessions end, each once it has the text of what it sent; while `on` new ones do at
  /// once. What else is refused is the service's business. Any thread.
  void Drain(bool on);

  /// Reads the certificate and its key again, for connections from now on; an error leaves those
  /// that were. Nothing to do without TLS. Any thread.
  Result<> ReloadCertificate();

  /// One event to every follower of /api/events, as far as PublicEvent lets it. Any thread, never
  /// blocks.
  void Publish(const Event& event);
  /// Whether there is a follower; lets the caller skip making it.
  bool has_subscribers() const;

  std::uint16_t port() const;
  WebCounters counters() const;

 private:
  explicit WebServer(std::shared_ptr<WebCore> core) : core_(std::move(core)) {}
  std::shared_ptr<WebCore> core_;
};

}  // namespace headroom::net
