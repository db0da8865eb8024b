// The servers over the one service: the control socket, and HTTP and Wyoming on the network.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "app/config/config.h"
#include "app/daemon/publisher.h"
#include "app/serving/serving.h"
#include "base/mutex.h"
#include "net/control/control.h"
#include "net/control/status.h"
#include "net/http/web_server.h"
#include "net/wyoming/wyoming_server.h"

namespace headroom::app {

struct ServerSetOptions {
  std::filesystem::path state;  // for sessions and uploads
  EventSink publish;            // notices, and what happens to programs' speech
  /// What does not work, by topic. Dictation goes on without a server.
  std::function<void(const std::string& topic, std::string text)> warn;
};

/// One thread, unless said otherwise.
class ServerSet {
 public:
  /// Servers get what `publisher` publishes, which must outlive them.
  ServerSet(ServerSetOptions options, Publisher& publisher)
      : options_(std::move(options)), publisher_(publisher) {}
  ~ServerSet() { Stop(); }

  Result<> StartControl(const std::filesystem::path& socket, net::ControlService& service);
  /// Those that are configured. `parts`: but for `servers`.
  void StartNetwork(const Config& config, ServingParts parts, asr::Scheduler& scheduler,
                    DetectorMaker make_detector, net::ControlService& service);
  /// No request comes any more. What was begun for programs may still be in work.
  void StopRequests();
  /// All of it is over; the scheduler may end.
  void Stop();

  /// On: what was begun is finished, and nothing new of programs is taken. kUnsupported: nothing
  /// is served.
  Result<> SetDraining(bool on);
  /// For Drain at the end: no answer, no event.
  void Refuse();
  /// Reads the certificate of HTTP again, where there is one.
  void ReloadCertificate();
  /// Every few seconds.
  void Expire();

  /// Any thread, as long as there is a server: whether it is being drained, and the recordings and
  /// streams of programs in work.
  std::pair<bool, int> served() const EXCLUDES(mutex_);

  bool has_subscribers() const;
  void Publish(const net::Status& status);

 private:
  Serving* serving() const EXCLUDES(mutex_);
  void StartWeb(const Config& config, net::ControlService& service);
  void StartWyoming(const WyomingConfig& config);

  const ServerSetOptions options_;
  Publisher& publisher_;
  mutable Mutex mutex_;
  std::unique_ptr<Serving> serving_ GUARDED_BY(mutex_);
  std::unique_ptr<net::WyomingServer> wyoming_;
  std::unique_ptr<net::WebServer> web_;  // after wyoming_, whose counters it shows
  std::unique_ptr<net::ControlServer> control_;
  Publisher::Subscription to_serving_, to_web_, to_control_;
};

}  // namespace headroom::app
