#include "app/daemon/server_set.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/dirs.h"
#include "net/control/event_json.h"

namespace headroom::app {

Result<> ServerSet::StartControl(const std::filesystem::path& socket,
                                 net::ControlService& service) {
  net::ServerOptions options;
  options.socket = socket;
  TRY_ASSIGN(control_, net::ControlServer::Start(std::move(options), service));
  to_control_ = publisher_.Subscribe([control = control_.get()](const Event& event) {
    if (control->has_subscribers()) control->Publish(NameOf(event), EventToJson(event));
  });
  return {};
}

void ServerSet::StartNetwork(const Config& config, ServingParts parts, asr::Scheduler& scheduler,
                             DetectorMaker make_detector, net::ControlService& service) {
  if (config.server.listen.empty() && config.wyoming.listen.empty()) return;
  parts.servers = [this] {
    return wyoming_ ? net::CountersText(wyoming_->counters()) : std::string();
  };
  auto made = Serving::Make(std::move(parts), {.folder = options_.state / "sessions"}, scheduler,
                            std::move(make_detector), options_.publish);
  if (!made) return options_.warn("server", "nothing is served: " + made.error().what);
  to_serving_ =
      publisher_.Subscribe([serving = made->get()](const Event& event) { serving->Count(event); });
  {
    const MutexLock lock(mutex_);
    serving_ = std::move(*made);
  }
  // The web server shows the other's counters, so it begins last and ends first.
  if (!config.wyoming.listen.empty()) StartWyoming(config.wyoming);
  if (!config.server.listen.empty()) StartWeb(config, service);
}

void ServerSet::StartWeb(const Config& config, net::ControlService& service) {
  const ServerConfig& server = config.server;
  net::WebOptions web;
  web.listen = server.listen;
  web.tokens = server.tokens.empty() ? ConfigDir() / "tokens" : server.tokens;
  web.origins = server.origins;
  web.hosts = server.hosts;
  web.tls_certificate = server.tls_certificate;
  web.tls_key = server.tls_key;
  web.insecure = server.insecure;
  web.spool = options_.state;
  web.upload_limit = server.upload_limit;
  web.history = server.history;
  auto started = net::WebServer::Start(std::move(web), *serving(), &service);
  if (!started) return options_.warn("server", "no HTTP: " + started.error().what);
  web_ = std::move(*started);
  to_web_ = publisher_.Subscribe([web = web_.get()](const Event& event) {
    if (web->has_subscribers()) web->Publish(event);
  });
  options_.publish(net::Notice{"programs and the page are served at " + server.listen});
}

void ServerSet::StartWyoming(const WyomingConfig& config) {
  net::WyomingOptions options;
  options.listen = config.listen;
  options.allow = config.allow;
  options.version = HEADROOM_VERSION;
  auto started = net::WyomingServer::Start(std::move(options), *serving());
  if (!started) return options_.warn("wyoming", "no Wyoming: " + started.error().what);
  wyoming_ = std::move(*started);
  options_.publish(net::Notice{wyoming_->Notice()});
}

void ServerSet::StopRequests() {
  to_control_ = {}, to_web_ = {};
  control_.reset();
  web_.reset();
  wyoming_.reset();
}

void ServerSet::Stop() {
  StopRequests();
  to_serving_ = {};
  std::unique_ptr<Serving> last;  // ends after the lock
  const MutexLock lock(mutex_);
  last = std::move(serving_);
}

Serving* ServerSet::serving() const {
  const MutexLock lock(mutex_);
  return serving_.get();
}

std::pair<bool, int> ServerSet::served() const {
  const Serving* serving = this->serving();
  if (serving == nullptr) return {false, 0};
  return {serving->draining(), static_cast<int>(serving->begun())};
}

Result<> ServerSet::SetDraining(bool on) {
  Serving* serving = this->serving();
  if (serving == nullptr)
    return Fail(Errc::kUnsupported,
                "nothing is served: server.listen and wyoming.listen are empty");
  serving->SetDraining(on);
  if (web_) web_->Drain(on);
  options_.publish(net::DrainChanged{on});
  return {};
}

void ServerSet::Refuse() {
  if (Serving* serving = this->serving()) serving->SetDraining(true);
}

void ServerSet::ReloadCertificate() {
  if (!web_) return;
  const auto read = web_->ReloadCertificate();
  options_.warn("certificate",
                read ? "" : "the certificate of before is used: " + read.error().what);
}

void ServerSet::Expire() {
  if (Serving* serving = this->serving()) serving->Expire();
}

bool ServerSet::has_subscribers() const {
  return (control_ && control_->has_subscribers()) || (web_ && web_->has_subscribers());
}

void ServerSet::Publish(const net::Status& status) {
  const Event event = net::StatusChanged{status};
  if (control_ && control_->has_subscribers()) control_->Publish(NameOf(event), EventToJson(event));
  if (web_ && web_->has_subscribers()) web_->Publish(event);
}

}  // namespace headroom::app
