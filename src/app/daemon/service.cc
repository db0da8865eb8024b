#include "app/daemon/service.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/daemon/options.h"
#include "base/file.h"
#include "base/text.h"
#include "models/store/store.h"
#include "net/control/event_json.h"
#include "net/server/local_socket.h"
#include "speech/vad/vad.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kTurn{100}, kQuietTurn{500};
constexpr std::size_t kMostVocabulary = 2'000;

// Those of the configuration, and one a line of its file.
Result<std::vector<std::string>> ReadVocabulary(const Config& config) {
  std::vector<std::string> words = config.speech.vocabulary;
  if (!config.speech.vocabulary_file.empty()) {
    TRY_ASSIGN(const std::string text, ReadFile(config.speech.vocabulary_file, MiB(1)));
    for (const std::string& line : Split(text, '\n')) {
      std::string word = Printable(Trim(line));
      if (!word.empty()) words.push_back(std::move(word));
    }
  }
  if (words.size() > kMostVocabulary) words.resize(kMostVocabulary);
  return words;
}

Result<DetectorMaker> FindDetector() {
  TRY_ASSIGN(auto vad, models::ResolveVad());
  return [vad = std::move(vad)]() -> Result<std::unique_ptr<speech::SpeechProbability>> {
    return speech::VoiceDetector::Load(vad);
  };
}

}  // namespace

Result<std::unique_ptr<Service>> Service::Make(ServiceOptions options) {
  std::unique_ptr<Service> service(new Service(std::move(options)));
  TRY(service->Start());
  return service;
}

Result<Config> Service::ReadConfig() const {
  Config config;
  if (!options_.config_file.empty()) {
    TRY_ASSIGN(config, LoadConfig(options_.config_file));
  }
  TRY(SetConfig(config, options_.settings));
  return config;
}

// The spool's lock makes us the only one; nothing else is touched before it is held. Null: speech
// is in memory only.
Result<std::unique_ptr<speech::Spool>> Service::OpenSpool() {
  auto opened = speech::Spool::Open(options_.state / "spool",
                                    {.size = config_.spool.size, .keep = config_.spool.keep});
  if (opened) {
    const speech::SpoolRepair& repair = (*opened)->repair();
    if (!repair.set_aside.empty())
      status_->SetWarning("spool",
                          "the spool was damaged and set aside as " + repair.set_aside.native());
    return std::move(*opened);
  }
  if (opened.error().code == Errc::kBusy) return Within(opened, "another headroom is running");
  status_->SetWarning("spool", "speech is kept in memory only: " + opened.error().what);
  return std::unique_ptr<speech::Spool>();
}

void Service::OpenRecords() {
  if (options_.recording) {
    auto recording = Recording::Open({.file = options_.state / "flight-record.db",
                                      .thresholds = config_.memory.thresholds,
                                      .clock = &clock_});
    if (recording) {
      recording_ = std::move(*recording);
    } else {
      status_->SetWarning("record", "no flight record is kept: " + recording.error().what);
    }
  }
  auto history = speech::History::Open(options_.state / "history.db",
                                       {.on = config_.history.on, .hours = config_.history.hours});
  if (history) {
    history_ = std::move(*history);
    if (!history_->set_aside().empty())
      status_->SetWarning(
          "history", "the history was damaged and set aside as " + history_->set_aside().native());
  } else {
    status_->SetWarning("history", "no history is kept: " + history.error().what);
  }
}

void Service::MakeStatus() {
  status_ = std::make_unique<StatusView>(
      StatusSources{.scheduler = [this] { return scheduler_->status(); },
                    .pipeline = [this] { return pipeline_->status(); },
                    .state = [this] { return dictation_->state(); },
                    .source = [this] { return dictation_->source(); },
                    .served = [this] { return servers_->served(); },
                    .undelivered = [this] { return history_controller_->undelivered(); },
                    .yields = [this] { return yield_count_.load(); }},
      clock_);
  status_->SetSpeech(config_.speech.mode, config_.speech.language);
}

Result<> Service::Start() {
  TRY_ASSIGN(config_, ReadConfig());
  TRY(DictationOptionsFor(config_));
  TRY(MakeDirectories(options_.state));
  const EventSink publish = [this](const Event& event) { Publish(event); };
  MakeStatus();
  TRY_ASSIGN(auto spool, OpenSpool());
  OpenRecords();

  TRY_ASSIGN(DeliverySettings delivery, MakeDeliverySettings(config_));
  request_ = RequestFor(config_, delivery.rewrite.vocabulary);
  text_delivery_ = std::make_unique<TextDelivery>(std::move(delivery), history_.get(), publish);
  history_controller_ =
      std::make_unique<HistoryController>(history_.get(), *text_delivery_, clock_);
  const auto session = clock_.WallNow().time_since_epoch() / std::chrono::milliseconds(1);
  pipeline_ = std::make_unique<UtterancePipeline>(
      PipelineOptions{.request = request_, .session = static_cast<std::uint64_t>(session)},
      std::move(spool), *text_delivery_, publish);
  TRY(StartScheduler());
  recognitions_.emplace(*scheduler_);

  dictation_ = std::make_unique<DictationController>(
      [this] { return MakeDictation(); }, [this] { return net::ToJson(Status()); }, clock_);
  TRY(dictation_->Start());
  servers_ = std::make_unique<ServerSet>(
      ServerSetOptions{
          .state = options_.state,
          .publish = publish,
          .warn = [this](const std::string& topic,
                         std::string text) { status_->SetWarning(topic, std::move(text)); }},
      publisher_);
  if (options_.control) TRY(StartServers());
  pipeline_->Start(*scheduler_, asr::Urgency::kDictation);
  if (config_.speech.mode == ListenMode::kHandsFree) dictation_->Listen();
  return {};
}

Result<> Service::StartServers() {
  TRY(servers_->StartControl(net::ControlSocketPath(config_.control_socket), *this));
  ServingParts parts;
  parts.scheduler = [this] { return scheduler_->status(); };
  parts.dictation = [this] { return pipeline_->status(); };
  parts.inspect = [this](const std::string& name) { return Inspect(name); };
  parts.models = models_->served();
  parts.thresholds = config_.memory.thresholds;
  servers_->StartNetwork(config_, std::move(parts), *scheduler_, make_detector_, *this);
  return {};
}

Result<DeliverySettings> Service::MakeDeliverySettings(const Config& config) const {
  DeliverySettings settings;
  for (output::TargetOptions& options : TargetOptionsFor(config)) {
    options.locked = options_.locked;
    options.state = options_.state / "output";
    TRY_ASSIGN(auto target, output::MakeTarget(options));
    settings.targets.push_back(std::move(target));
  }
  TRY_ASSIGN(settings.rewrite.vocabulary, ReadVocabulary(config));
  settings.rewrite.commands = config.speech.commands;
  settings.rewrite.digits = config.speech.digits;
  settings.rewrite.replacements = config.replacements;
  settings.own_commands = config.commands;
  settings.language = config.speech.language == "auto" ? "en" : config.speech.language;
  return settings;
}

Result<std::unique_ptr<Dictation>> Service::MakeDictation() {
  TRY_ASSIGN(const DictationOptions options, DictationOptionsFor(config_));
  TRY_ASSIGN(make_detector_, FindDetector());
  TRY_ASSIGN(auto source, audio::MakeSource(SourceOptionsFor(config_)));
  return std::make_unique<Dictation>(options, std::move(source), make_detector_, *pipeline_,
                                     [this](const Event& event) { Publish(event); });
}

Service::~Service() {
  if (servers_) servers_->StopRequests();
  dictation_.reset();
  models_.reset();
  recognitions_.reset();
  if (pipeline_) pipeline_->Stop();
  servers_.reset();
  scheduler_.reset();
  pipeline_.reset();
}

// ---- Run's thread ----

bool Service::SourceOver() const {
  return options_.end_with_source && dictation_->source_ended() &&
         dictation_->state() == DictationState::kIdle && pipeline_->status().waiting == 0;
}

void Service::Turn() {
  if (const auto turned = dictation_->Turn(); !turned)
    Publish(net::Warning{Error(turned.error()).Within("reload")});
  models_->Turn();
  if (servers_->has_subscribers()) {
    if (const auto status = status_->Changed()) servers_->Publish(*status);
  }
  if (const auto expired = history_controller_->Expire(); !expired)
    status_->SetWarning("history", expired.error().what);
  servers_->Expire();
  if (recording_) recording_->Governed(scheduler_->status().tier_title, pipeline_->status().queue);
}

Ended Service::Run(CancelToken& stop, const std::function<void()>& turn) {
  while (true) {
    // A signal handler cannot notify, so it is looked at often enough for a person.
    const bool quiet = dictation_->state() == DictationState::kIdle;
    tasks_.RunSome(quiet ? kQuietTurn : kTurn);
    Turn();
    if (turn) turn();
    if (SourceOver()) return Ended::kSourceOver;
    if (restart_) return Ended::kRestart;
    if (stop.raised() || shutdown_) return Ended::kAsked;
  }
}

void Service::Drain(Milliseconds wait) {
  servers_->Refuse();
  dictation_->Finish();
  const MonoTime until = clock_.Now() + wait;
  dictation_->WaitUntilIdle(wait);
  pipeline_->WaitUntilEmpty(std::chrono::duration_cast<Milliseconds>(until - clock_.Now()));
}

void Service::AskReload() {
  tasks_.Post([this] {
    const auto reloaded = ReloadNow();
    if (!reloaded) Publish(net::Warning{Error(reloaded.error()).Within("reload")});
  });
}

void Service::AskListen(bool listen) {
  tasks_.Post([this, listen] { listen ? dictation_->Listen() : dictation_->Finish(); });
}

void Service::AskToggle() {
  tasks_.Post([this] { dictation_->wanted() ? dictation_->Finish() : dictation_->Listen(); });
}

void Service::Note(record::EventKind kind) {
  if (recording_) recording_->Note({.kind = kind, .at = record::Now(clock_), .attributes = {}});
}

void Service::AskSleep(std::function<void()> ready) {
  tasks_.Post([this, ready = std::move(ready)] {
    dictation_->Finish();
    Note(record::EventKind::kSuspend);
    Publish(net::SleepChanged{true});
    scheduler_->Suspend();
    ready();
  });
}

void Service::AskWake() {
  tasks_.Post([this] {
    scheduler_->Resume();
    Note(record::EventKind::kResume);
    Publish(net::SleepChanged{false});
    if (config_.speech.mode == ListenMode::kHandsFree) dictation_->Listen();
  });
}

Result<nlohmann::json> Service::ReloadNow() {
  TRY_ASSIGN(Config next, ReadConfig());
  const ConfigChange change = Difference(config_, next);
  TRY_ASSIGN(DeliverySettings delivery, MakeDeliverySettings(next));
  TRY(DictationOptionsFor(next));
  request_ = RequestFor(next, delivery.rewrite.vocabulary);
  pipeline_->SetRequest(request_);
  text_delivery_->Replace(std::move(delivery));
  config_ = std::move(next);
  status_->SetSpeech(config_.speech.mode, config_.speech.language);
  if (std::ranges::any_of(change.live, [](const std::string& key) {
        return key.starts_with("audio.") || key.starts_with("speech.");
      }))
    dictation_->Replace(config_.speech.mode == ListenMode::kHandsFree);
  servers_->ReloadCertificate();
  const net::Reloaded reloaded{change.live, change.restart};
  Publish(reloaded);
  return net::EventToJson(reloaded);
}

// ---- what happens ----

void Service::Notify(std::string title, std::string text) {
  if (!options_.notify) return;
  tasks_.Post([this, title = std::move(title), text = std::move(text)] {
    if (config_.output.notify) options_.notify(title, text);
  });
}

void Service::Publish(const Event& event) {
  status_->On(event);
  const auto* text = std::get_if<net::TextDelivered>(&event);
  const bool undelivered = text != nullptr && text->failure;
  if (undelivered) history_controller_->CountUndelivered();
  if (recording_) recording_->Happened(event);
  publisher_.Publish(event);
  if (options_.also) options_.also(event);
  if (undelivered)
    Notify("A text did not arrive", text->failure->what + ". It is kept: headroom history paste");
  // A client may wait for the first sample, or for a model.
  if (text != nullptr || std::holds_alternative<net::StateChanged>(event) ||
      std::holds_alternative<net::TierChanged>(event))
    tasks_.Wake();
}

}  // namespace headroom::app
