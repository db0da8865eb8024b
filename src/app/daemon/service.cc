#include "app/daemon/service.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/daemon/options.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "models/store/store.h"
#include "net/control/event_json.h"
#include "net/server/local_socket.h"
#include "speech/vad/vad.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kTurn{100}, kQuietTurn{500};
constexpr Milliseconds kExpireEvery{5 * 60'000};
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

Result<> Service::Start() {
  began_ = SystemClock().Now();
  TRY_ASSIGN(config_, ReadConfig());
  TRY(DictationOptionsFor(config_));
  TRY(MakeDirectories(options_.state));
  const EventSink publish = [this](const Event& event) { Publish(event); };

  // The spool's lock makes us the only one; nothing else is touched before it is held.
  std::unique_ptr<speech::Spool> spool;
  const auto path = options_.state / "spool";
  auto opened = speech::Spool::Open(path, {.size = config_.spool.size, .keep = config_.spool.keep});
  if (opened) {
    spool = std::move(*opened);
    const speech::SpoolRepair& repair = spool->repair();
    if (!repair.set_aside.empty())
      SetWarning("spool", "the spool was damaged and set aside as " + repair.set_aside.native());
  } else if (opened.error().code == Errc::kBusy) {
    return Within(opened, "another headroom is running");
  } else {
    SetWarning("spool", "speech is kept in memory only: " + opened.error().what);
  }

  if (options_.recording) {
    auto recording = Recording::Open(
        {.file = options_.state / "flight-record.db", .thresholds = config_.memory.thresholds});
    if (recording) {
      recording_ = std::move(*recording);
    } else {
      SetWarning("record", "no flight record is kept: " + recording.error().what);
    }
  }

  auto history = speech::History::Open(options_.state / "history.db",
                                       {.on = config_.history.on, .hours = config_.history.hours});
  if (history) {
    history_ = std::move(*history);
    if (!history_->set_aside().empty())
      SetWarning("history",
                 "the history was damaged and set aside as " + history_->set_aside().native());
  } else {
    SetWarning("history", "no history is kept: " + history.error().what);
  }
  expired_ = began_;

  TRY_ASSIGN(DeliverySettings post, MakeDeliverySettings(config_));
  request_ = RequestFor(config_, post.rewrite.vocabulary);
  text_delivery_ = std::make_unique<TextDelivery>(std::move(post), history_.get(), publish);
  pipeline_ = std::make_unique<UtterancePipeline>(
      PipelineOptions{
          .request = request_,
          .session = static_cast<std::uint64_t>(SystemClock().WallNow().time_since_epoch() /
                                                std::chrono::milliseconds(1))},
      std::move(spool), *text_delivery_, publish);

  TRY(StartScheduler());
  recognitions_.emplace(*scheduler_);

  TRY(MakeDictation());
  if (options_.control) {
    net::ServerOptions server;
    server.socket = net::ControlSocketPath(config_.control_socket);
    TRY_ASSIGN(server_, net::ControlServer::Start(std::move(server), *this));
    to_server_ = publisher_.Subscribe([control = server_.get()](const Event& event) {
      if (control->has_subscribers()) control->Publish(NameOf(event), EventToJson(event));
    });
    StartServers();
  }
  pipeline_->Start(*scheduler_, asr::Urgency::kDictation);
  if (config_.speech.mode == ListenMode::kHandsFree) dictation()->Listen();
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

Result<> Service::MakeDictation() {
  TRY_ASSIGN(const DictationOptions options, DictationOptionsFor(config_));
  TRY_ASSIGN(const auto vad, models::ResolveVad());
  TRY_ASSIGN(auto source, audio::MakeSource(SourceOptionsFor(config_)));
  const auto make_detector = [vad]() -> Result<std::unique_ptr<speech::SpeechProbability>> {
    return speech::VoiceDetector::Load(vad);
  };
  auto made = std::make_shared<Dictation>(options, std::move(source), make_detector, *pipeline_,
                                          [this](const Event& event) { Publish(event); });
  const std::lock_guard lock(mutex_);
  dictation_.swap(made);  // the old one is over before `made` goes
  return {};
}

void Service::ReplaceDictation() {
  const auto old = dictation();
  const DictationState state = old->state();
  const bool on = old->wanted();
  if (state != DictationState::kIdle && state != DictationState::kListening) return;
  replace_dictation_ = false;
  old->Finish();
  while (old->state() != DictationState::kIdle) std::this_thread::sleep_for(Milliseconds(5));
  if (const auto made = MakeDictation(); !made) {
    Publish(net::Warning{Error(made.error()).Within("reload")});
  }
  const bool hands_free = config_.speech.mode == ListenMode::kHandsFree;
  if (on || hands_free) dictation()->Listen();
}

std::shared_ptr<Dictation> Service::dictation() const {
  const std::lock_guard lock(mutex_);
  return dictation_;
}

Serving* Service::serving() const {
  const std::lock_guard lock(mutex_);
  return serving_.get();
}

Service::~Service() {
  to_server_ = {}, to_web_ = {};
  server_.reset();  // no request comes any more
  web_.reset();
  wyoming_.reset();
  pasting_ = {};    // waits
  reporting_ = {};  // the same
  {
    std::shared_ptr<Dictation> last;
    const std::lock_guard lock(mutex_);
    last.swap(dictation_);
  }
  warm_.reset();
  recognitions_.reset();
  if (pipeline_) pipeline_->Stop();
  to_serving_ = {};
  serving_.reset();
  scheduler_.reset();
  pipeline_.reset();
}

// ---- Run's thread ----

bool Service::Over() const {
  const auto dictation = this->dictation();
  if (!options_.end_with_source || !dictation->source_ended() ||
      dictation->state() != DictationState::kIdle) {
    return false;
  }
  return pipeline_->status().waiting == 0;
}

Ended Service::Run(CancelToken& stop, const std::function<void()>& turn) {
  while (true) {
    std::deque<std::function<void()>> tasks;
    const bool quiet = dictation()->state() == DictationState::kIdle;
    {
      std::unique_lock lock(mutex_);
      // A signal handler cannot notify, so it is looked at often enough for a person.
      changed_.wait_for(lock, quiet ? kQuietTurn : kTurn,
                        [&] { return !tasks_.empty() || news_ || shutdown_ || restart_; });
      news_ = false;
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    AnswerListeners();
    AnswerLoaders();
    if (replace_dictation_) ReplaceDictation();
    PublishStatus();
    if (history_ && SystemClock().Now() - expired_ >= kExpireEvery) {
      expired_ = SystemClock().Now();
      if (const auto gone = history_->Expire(); !gone)
        SetWarning("history", "old texts cannot be deleted: " + gone.error().what);
    }
    if (serving_) serving_->Expire();
    if (turn) turn();
    if (recording_ && scheduler_)
      recording_->Governed(scheduler_->status().tier_title, pipeline_->status().queue);
    if (Over()) return Ended::kSourceOver;
    const std::lock_guard lock(mutex_);
    if (restart_) return Ended::kRestart;
    if (stop.raised() || shutdown_) return Ended::kAsked;
  }
}

void Service::Drain(Milliseconds wait) {
  if (serving_) serving_->SetDraining(true);
  dictation()->Finish();
  const MonoTime until = SystemClock().Now() + wait;
  while (dictation()->state() != DictationState::kIdle && SystemClock().Now() < until)
    std::this_thread::sleep_for(Milliseconds(20));
  pipeline_->WaitUntilEmpty(std::chrono::duration_cast<Milliseconds>(until - SystemClock().Now()));
}

void Service::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void Service::AskReload() {
  Post([this] {
    const auto reloaded = ReloadNow();
    if (!reloaded) Publish(net::Warning{Error(reloaded.error()).Within("reload")});
  });
}

void Service::AskListen(bool listen) {
  Post([this, listen] { listen ? dictation()->Listen() : dictation()->Finish(); });
}

void Service::AskToggle() {
  Post([this] { dictation()->wanted() ? dictation()->Finish() : dictation()->Listen(); });
}

void Service::AskSleep(std::function<void()> ready) {
  Post([this, ready = std::move(ready)] {
    dictation()->Finish();
    if (recording_)
      recording_->Note({.kind = record::EventKind::kSuspend,
                        .at = record::Now(SystemClock()),
                        .attributes = {}});
    Publish(net::SleepChanged{true});
    scheduler_->Suspend();
    ready();
  });
}

void Service::AskWake() {
  Post([this] {
    scheduler_->Resume();
    if (recording_)
      recording_->Note(
          {.kind = record::EventKind::kResume, .at = record::Now(SystemClock()), .attributes = {}});
    Publish(net::SleepChanged{false});
    if (config_.speech.mode == ListenMode::kHandsFree) dictation()->Listen();
  });
}

Result<nlohmann::json> Service::ReloadNow() {
  TRY_ASSIGN(Config next, ReadConfig());
  const ConfigChange change = Difference(config_, next);
  TRY_ASSIGN(DeliverySettings post, MakeDeliverySettings(next));
  TRY(DictationOptionsFor(next));
  request_ = RequestFor(next, post.rewrite.vocabulary);
  pipeline_->SetRequest(request_);
  text_delivery_->Replace(std::move(post));
  {
    const std::lock_guard lock(mutex_);
    config_ = std::move(next);
  }
  replace_dictation_ = std::ranges::any_of(change.live, [](const std::string& key) {
    return key.starts_with("audio.") || key.starts_with("speech.");
  });
  if (web_) {
    const auto read = web_->ReloadCertificate();
    SetWarning("certificate",
               read ? "" : "the certificate of before is used: " + read.error().what);
  }
  const net::Reloaded reloaded{change.live, change.restart};
  Publish(reloaded);
  return net::EventToJson(reloaded);
}

void Service::AnswerListeners() {
  std::vector<Waiting> ready;
  const auto dictation = this->dictation();
  const DictationState state = dictation->state();
  const bool heard = state == DictationState::kListening || state == DictationState::kSpeaking;
  const MonoTime now = SystemClock().Now();
  {
    const std::lock_guard lock(mutex_);
    const auto late = [&](const Waiting& one) {
      return !heard && dictation->wanted() && now < one.until;
    };
    const auto middle = std::stable_partition(listeners_.begin(), listeners_.end(), late);
    std::move(middle, listeners_.end(), std::back_inserter(ready));
    listeners_.erase(middle, listeners_.end());
  }
  for (Waiting& one : ready) {
    if (heard) {
      (*one.answer)(net::ToJson(Status()));
      continue;
    }
    const std::string trouble = dictation->source().trouble;
    (*one.answer)(Fail(Errc::kTimeout, "no sound comes from the microphone{}{}",
                       trouble.empty() ? "" : ": ", trouble));
  }
}

// What a person would want to see again, and not what changes all the time.
void Service::PublishStatus() {
  const bool local = server_ && server_->has_subscribers();
  const bool remote = web_ && web_->has_subscribers();
  if (!local && !remote) return;
  const net::Status status = Status();
  nlohmann::json json = net::ToJson(status);
  nlohmann::json seen = json;
  for (const char* often : {"uptime_ms", "memory", "spool_free_ms", "partial"}) seen.erase(often);
  seen["zone"] = status.memory.zone;
  std::string text = seen.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text == published_) return;
  published_ = std::move(text);
  if (local) server_->Publish("status", json);
  if (remote) web_->Publish(net::StatusChanged{status});
}

// ---- what happens ----

void Service::SetWarning(const std::string& topic, std::string text) {
  const std::lock_guard lock(mutex_);
  std::erase_if(warnings_, [&](const auto& warning) { return warning.first == topic; });
  if (!text.empty()) warnings_.emplace_back(topic, std::move(text));
}

void Service::Notify(std::string title, std::string text) {
  if (!options_.notify) return;
  Post([this, title = std::move(title), text = std::move(text)] {
    if (config_.output.notify) options_.notify(title, text);
  });
}

// What the service itself does about it.
void Service::React(const Event& event) {
  const auto over = [this] {
    const std::lock_guard lock(mutex_);
    partial_.clear();
    news_ = true;  // a client may wait for the first sample, or for a model
  };
  const auto news = [this] {
    const std::lock_guard lock(mutex_);
    news_ = true;
  };
  std::visit(net::Visitor{
                 [this](const net::PartialText& e) {
                   const std::lock_guard lock(mutex_);
                   partial_ = e.committed + e.tentative;
                 },
                 [&](const net::StateChanged&) { over(); },
                 [&](const net::TextDelivered& e) {
                   over();
                   if (!e.failure) return;
                   {
                     const std::lock_guard lock(mutex_);
                     ++undelivered_;
                   }
                   Notify("A text did not arrive",
                          e.failure->what + ". It is kept: headroom history paste");
                 },
                 [this](const net::SourceChanged& e) { SetWarning("microphone", e.trouble); },
                 [this](const net::Warning& e) { SetWarning("last", e.error.what); },
                 [&](const net::TierChanged&) { news(); },
                 [](const auto&) {},
             },
             event);
  changed_.notify_all();
}

void Service::Publish(const Event& event) {
  React(event);
  if (recording_) recording_->Happened(event);
  publisher_.Publish(event);
  if (options_.also) options_.also(event);
}

}  // namespace headroom::app
