// The service on the network: the servers of src/api over the one loaded model.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/daemon/service.h"
#include "base/dirs.h"
#include "models/store/store.h"

namespace headroom::app {

void Service::DescribeTiers(const std::vector<asr::Tier>& tiers) {
  nlohmann::json plan = nlohmann::json::array();
  for (const asr::Tier& tier : tiers) {
    nlohmann::json chunks = nlohmann::json::array();
    for (const memory::Workspace& one : tier.plan.workspace)
      chunks.push_back(
          {{"chunk_ms", one.chunk.count()}, {"peak_bytes", tier.plan.Peak(one.chunk).bytes.n}});
    plan.push_back({{"tier", tier.Title()},
                    {"on_card", tier.on_gpu()},
                    {"resident_bytes", tier.plan.Resident().n},
                    {"chunks", std::move(chunks)}});
    const auto same = std::ranges::find(models_, tier.plan.model, &net::ServedModel::id);
    if (same == models_.end()) models_.push_back({tier.plan.model, tier.traits.languages, false});
  }
  tiers_ = tiers;
  const memory::FitRules rules;
  plan_ =
      nlohmann::json{
          {"tiers", std::move(plan)},
          {"rules", {{"safe", rules.safe}, {"marginal", rules.marginal}, {"peak", rules.peak}}}}
          .dump();
}

// For whoever may connect, so nothing that was spoken is in it.
std::optional<std::string> Service::Inspect(const std::string& name) const {
  if (name == "plan") return plan_;
  if (name != "status") return std::nullopt;
  nlohmann::json status = net::ToJson(Status());
  status.erase("partial");
  return status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Service::SetDraining(bool on, net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, on, shared] {
    if (!serving_)
      return (*shared)(Fail(Errc::kUnsupported,
                            "nothing is served: server.listen and "
                            "wyoming.listen are empty"));
    serving_->SetDraining(on);
    if (web_) web_->Drain(on);
    Publish(net::DrainChanged{on});
    (*shared)(net::ToJson(Status()));
  });
}

void Service::StartServers() {
  if (config_.server.listen.empty() && config_.wyoming.listen.empty()) return;
  const auto vad = models::ResolveVad();
  if (!vad) return SetWarning("server", "nothing is served: " + vad.error().what);
  ServingParts parts;
  parts.scheduler = [this] { return scheduler_->status(); };
  parts.dictation = [this] { return pipeline_->status(); };
  parts.inspect = [this](const std::string& name) { return Inspect(name); };
  parts.models = models_;
  parts.thresholds = config_.memory.thresholds;
  parts.servers = [this] {
    return wyoming_ ? net::CountersText(wyoming_->counters()) : std::string();
  };
  auto serving = Serving::Make(
      std::move(parts), {.folder = options_.state / "sessions"}, *scheduler_,
      [path = *vad]() -> Result<std::unique_ptr<speech::SpeechProbability>> {
        return speech::VoiceDetector::Load(path);
      },
      [this](const Event& event) { Publish(event); });
  if (!serving) return SetWarning("server", "nothing is served: " + serving.error().what);
  {
    const std::lock_guard lock(mutex_);
    serving_ = std::move(*serving);
  }
  to_serving_ =
      publisher_.Subscribe([to = serving_.get()](const Event& event) { to->Count(event); });
  // The web server shows the other's counters, so it begins last and ends first.
  if (!config_.wyoming.listen.empty()) StartWyoming();
  if (!config_.server.listen.empty()) StartWeb();
}

void Service::StartWeb() {
  const ServerConfig& config = config_.server;
  net::WebOptions web;
  web.listen = config.listen;
  web.tokens = config.tokens.empty() ? ConfigDir() / "tokens" : config.tokens;
  web.origins = config.origins;
  web.hosts = config.hosts;
  web.tls_certificate = config.tls_certificate;
  web.tls_key = config.tls_key;
  web.insecure = config.insecure;
  web.spool = options_.state;
  web.upload_limit = config.upload_limit;
  web.history = config.history;
  auto started = net::WebServer::Start(std::move(web), *serving_, this);
  if (!started) return SetWarning("server", "no HTTP: " + started.error().what);
  web_ = std::move(*started);
  to_web_ = publisher_.Subscribe([web = web_.get()](const Event& event) {
    if (web->has_subscribers()) web->Publish(event);
  });
  Publish(net::Notice{"programs and the page are served at " + config.listen});
}

void Service::StartWyoming() {
  net::WyomingOptions options;
  options.listen = config_.wyoming.listen;
  options.allow = config_.wyoming.allow;
  options.version = HEADROOM_VERSION;
  auto started = net::WyomingServer::Start(std::move(options), *serving_);
  if (!started) return SetWarning("wyoming", "no Wyoming: " + started.error().what);
  wyoming_ = std::move(*started);
  Publish(net::Notice{wyoming_->Notice()});
}

}  // namespace headroom::app
