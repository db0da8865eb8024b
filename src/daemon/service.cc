#include "daemon/service.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/local_socket.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "daemon/options.h"
#include "engine/readings.h"
#include "engine/worker_runner.h"
#include "models/store.h"
#include "planner/card.h"
#include "planner/tiers.h"
#include "probe/device_probe.h"
#include "probe/host.h"
#include "speech/vad.h"

namespace headroom::daemon {
namespace {

constexpr Milliseconds kTurn{100}, kQuietTurn{500};
constexpr Milliseconds kListenWithin{8'000};  // for the first sample
constexpr Milliseconds kExpireEvery{5 * 60'000};
constexpr Milliseconds kCardWithin{3'000};  // for a driver that is being loaded
constexpr std::size_t kMostVocabulary = 2'000;

// Kernel lines may be spoken in any locale; a word list is one a line.
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

api::HistoryEntry Shown(const speech::HistoryEntry& entry) {
  api::HistoryEntry shown;
  shown.id = entry.id;
  shown.at = entry.at;
  shown.text = entry.text;
  shown.arrival = Name(entry.arrival);
  shown.why = entry.why;
  shown.targets = entry.target;
  shown.tier = entry.tier;
  shown.latency = entry.latency;
  return shown;
}

planner::Place PlaceFor(DeviceChoice device) {
  switch (device) {
    case DeviceChoice::kAuto:
      return planner::Place::kAny;
    case DeviceChoice::kGpu:
      return planner::Place::kCard;
    case DeviceChoice::kCpu:
      return planner::Place::kCpu;
  }
  return planner::Place::kAny;
}

memory::Room HostNow() {
  const auto text = headroom::ReadFile("/proc/meminfo", KiB(64));
  const auto host = text ? probe::ParseMeminfo(*text) : std::nullopt;
  return host ? memory::HostRoom(host->available, Bytes(0)) : memory::Room{};
}

std::string Words(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += (text.empty() ? "" : "; ") + note;
  return text;
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
  const EventSink tell = [this](const Event& event) { Tell(event); };

  // The spool's lock makes us the only one; nothing else is touched before it is held.
  std::unique_ptr<speech::Spool> spool;
  const auto path = options_.state / "spool";
  auto opened = speech::Spool::Open(path, {.size = config_.spool.size, .keep = config_.spool.keep});
  if (opened) {
    spool = std::move(*opened);
    const speech::SpoolRepair& repair = spool->repair();
    if (!repair.set_aside.empty())
      SetTrouble("spool", "the spool was damaged and set aside as " + repair.set_aside.native());
  } else if (opened.error().code == Errc::kBusy) {
    return Within(opened, "another headroom is running");
  } else {
    SetTrouble("spool", "speech is kept in memory only: " + opened.error().what);
  }

  if (options_.recording) {
    auto recording = Recording::Open(options_.state / "flight-record.db");
    if (recording) {
      recording_ = std::move(*recording);
    } else {
      SetTrouble("record", "no flight record is kept: " + recording.error().what);
    }
  }

  auto history = speech::History::Open(options_.state / "history.db",
                                       {.on = config_.history.on, .hours = config_.history.hours});
  if (history) {
    history_ = std::move(*history);
    if (!history_->set_aside().empty())
      SetTrouble("history",
                 "the history was damaged and set aside as " + history_->set_aside().native());
  } else {
    SetTrouble("history", "no history is kept: " + history.error().what);
  }
  expired_ = began_;

  TRY_ASSIGN(std::vector<std::string> vocabulary, ReadVocabulary(config_));
  TRY_ASSIGN(PostSettings post, MakePostSettings(config_));
  post_office_ = std::make_unique<PostOffice>(std::move(post), history_.get(), tell);
  desk_ = std::make_unique<Desk>(
      DeskOptions{.request = RequestFor(config_, std::move(vocabulary)),
                  .session = static_cast<std::uint64_t>(SystemClock().WallNow().time_since_epoch() /
                                                        std::chrono::milliseconds(1))},
      std::move(spool), *post_office_, tell);

  TRY(StartScheduler());

  TRY(MakeDictation());
  if (options_.control) {
    api::ServerOptions server;
    server.socket = api::ControlSocketPath(config_.control_socket);
    TRY_ASSIGN(server_, api::ControlServer::Start(std::move(server), *this));
  }
  desk_->Start(*scheduler_);
  if (config_.speech.mode == ListenMode::kHandsFree) dictation()->Listen();
  return {};
}

Result<PostSettings> Service::MakePostSettings(const Config& config) const {
  PostSettings settings;
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
  auto made = std::make_shared<Dictation>(options, std::move(source), make_detector, *desk_,
                                          [this](const Event& event) { Tell(event); });
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
    Tell({"trouble", {{"text", "reload: " + made.error().what}}});
  }
  const bool hands_free = config_.speech.mode == ListenMode::kHandsFree;
  if (on || hands_free) dictation()->Listen();
}

std::shared_ptr<Dictation> Service::dictation() const {
  const std::lock_guard lock(mutex_);
  return dictation_;
}

Result<> Service::StartScheduler() {
  TRY_ASSIGN(const auto store, models::Store::Open());
  planner::TierOptions wishes;
  for (const TierName& name : config_.models.tiers)
    wishes.wishes.push_back({name.model, PlaceFor(name.device)});
  wishes.place = PlaceFor(config_.models.device);
  wishes.threads = config_.models.threads;
  wishes.chunks = config_.memory.chunks;
  wishes.host = HostNow();
  if (wishes.place != planner::Place::kCpu) {
    probe::DeviceProbe devices({});
    wishes.card = planner::FindCard(devices, kCardWithin);
  }
  TRY_ASSIGN(planner::Tiers tiers, planner::MakeTiers(store, wishes));
  if (!tiers.notes.empty()) Tell({"notice", {{"text", Words(tiers.notes)}}});

  engine::SchedulerOptions options;
  options.policy.chunks = config_.memory.chunks;
  options.policy.thresholds = config_.memory.thresholds;
  if (config_.models.idle.count() > 0) options.policy.timing.idle = config_.models.idle;
  options.when_cold = config_.models.when_cold == WhenCold::kFast ? engine::WhenCold::kFast
                                                                  : engine::WhenCold::kWait;
  if (config_.speech.language != "auto") options.language = config_.speech.language;
  const bool card = std::ranges::any_of(tiers.tiers, &engine::Tier::on_card);
  options.tiers = std::move(tiers.tiers);

  engine::SchedulerEvents events;
  events.on_decoded = [this](engine::Decoded decoded) { desk_->OnDecoded(std::move(decoded)); };
  events.on_speculated = [this](engine::Speculated speculated) {
    desk_->OnSpeculated(std::move(speculated));
  };
  events.on_action = [this](const memory::Action& action) { TellAction(action); };
  events.on_tier = [this](const engine::TierEvent& event) { TellTier(event); };
  events.on_restart = [this](const std::string& reason) {
    Tell({"restart", {{"reason", reason}}});
    {
      const std::lock_guard lock(mutex_);
      restart_ = true;
    }
    changed_.notify_all();
  };
  engine::ProbeReadingsOptions readings;
  readings.devices = card;
  if (wishes.card) readings.card = wishes.card->device;
  readings.on_sample = [this](const probe::Sample& sample) {
    if (recording_) recording_->Measured(sample);
  };
  TRY_ASSIGN(scheduler_, engine::Scheduler::Make(std::move(options), std::move(events),
                                                 std::make_unique<engine::ProbeReadings>(readings),
                                                 std::make_unique<engine::WorkerRunnerMaker>()));
  return {};
}

Service::~Service() {
  server_.reset();  // no request comes any more
  pasting_ = {};    // waits
  {
    std::shared_ptr<Dictation> last;
    const std::lock_guard lock(mutex_);
    last.swap(dictation_);
  }
  if (desk_) desk_->Stop();
  scheduler_.reset();
  desk_.reset();
}

// ---- Run's thread ----

bool Service::Over() const {
  const auto dictation = this->dictation();
  if (!options_.end_with_source || !dictation->source_ended() ||
      dictation->state() != DictationState::kIdle) {
    return false;
  }
  return desk_->status().waiting == 0;
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
    if (replace_dictation_) ReplaceDictation();
    PublishStatus();
    if (history_ && SystemClock().Now() - expired_ >= kExpireEvery) {
      expired_ = SystemClock().Now();
      if (const auto gone = history_->Expire(); !gone)
        SetTrouble("history", "old texts cannot be deleted: " + gone.error().what);
    }
    if (turn) turn();
    if (recording_ && scheduler_) recording_->Governed(scheduler_->status(), desk_->status().queue);
    if (Over()) return Ended::kSourceOver;
    const std::lock_guard lock(mutex_);
    if (restart_) return Ended::kRestart;
    if (stop.raised() || shutdown_) return Ended::kAsked;
  }
}

void Service::Drain(Milliseconds wait) {
  dictation()->Finish();
  const MonoTime until = SystemClock().Now() + wait;
  while (dictation()->state() != DictationState::kIdle && SystemClock().Now() < until)
    std::this_thread::sleep_for(Milliseconds(20));
  desk_->WaitUntilEmpty(std::chrono::duration_cast<Milliseconds>(until - SystemClock().Now()));
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
    if (!reloaded) Tell({"trouble", {{"text", "reload: " + reloaded.error().what}}});
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
    Tell({"sleep", {{"asleep", true}}});
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
    Tell({"sleep", {{"asleep", false}}});
    if (config_.speech.mode == ListenMode::kHandsFree) dictation()->Listen();
  });
}

Result<nlohmann::json> Service::ReloadNow() {
  TRY_ASSIGN(Config next, ReadConfig());
  const ConfigChange change = Difference(config_, next);
  TRY_ASSIGN(std::vector<std::string> vocabulary, ReadVocabulary(next));
  TRY_ASSIGN(PostSettings post, MakePostSettings(next));
  TRY(DictationOptionsFor(next));
  post_office_->Replace(std::move(post));
  desk_->SetRequest(RequestFor(next, std::move(vocabulary)));
  {
    const std::lock_guard lock(mutex_);
    config_ = std::move(next);
  }
  replace_dictation_ = std::ranges::any_of(change.live, [](const std::string& key) {
    return key.starts_with("audio.") || key.starts_with("speech.");
  });
  nlohmann::json answer = {{"changed", change.live}, {"restart", change.restart}};
  Tell({"reloaded", answer});
  return answer;
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
      (*one.answer)(api::ToJson(Status()));
      continue;
    }
    const std::string trouble = dictation->source().trouble;
    (*one.answer)(Fail(Errc::kTimeout, "no sound comes from the microphone{}{}",
                       trouble.empty() ? "" : ": ", trouble));
  }
}

// What a person would want to see again, and not what changes all the time.
void Service::PublishStatus() {
  if (!server_ || !server_->has_subscribers()) return;
  const api::Status status = Status();
  nlohmann::json json = api::ToJson(status);
  nlohmann::json seen = json;
  for (const char* often : {"uptime_ms", "memory", "spool_free_ms", "partial"}) seen.erase(often);
  seen["zone"] = status.memory.zone;
  std::string text = seen.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text == published_) return;
  published_ = std::move(text);
  server_->Publish("status", json);
}

// ---- what happens ----

void Service::SetTrouble(const std::string& topic, std::string text) {
  const std::lock_guard lock(mutex_);
  std::erase_if(troubles_, [&](const auto& trouble) { return trouble.first == topic; });
  if (!text.empty()) troubles_.emplace_back(topic, std::move(text));
}

void Service::Notify(std::string title, std::string text) {
  if (!options_.notify) return;
  Post([this, title = std::move(title), text = std::move(text)] {
    if (config_.output.notify) options_.notify(title, text);
  });
}

void Service::Tell(const Event& event) {
  bool undelivered = false;
  if (event.name == "partial") {
    const std::lock_guard lock(mutex_);
    partial_ = event.data.value("committed", "") + event.data.value("tentative", "");
  } else if (event.name == "text" || event.name == "state") {
    const std::lock_guard lock(mutex_);
    partial_.clear();
    if (event.name == "text" && !event.data.value("delivered", true)) {
      ++undelivered_;
      undelivered = true;
    }
  } else if (event.name == "source") {
    SetTrouble("microphone", event.data.value("trouble", ""));
  } else if (event.name == "trouble") {
    SetTrouble("last", event.data.value("text", ""));
  }
  if (recording_) recording_->Happened(event);
  if (server_ && server_->has_subscribers()) server_->Publish(event.name, event.data);
  if (options_.also) options_.also(event);
  if (undelivered) {
    Notify("A text did not arrive", event.data.value("trouble", "") +
                                        ". It is kept: headroom "
                                        "history paste");
  }
  if (event.name == "state" || event.name == "text") {  // somebody may wait for the first sample
    {
      const std::lock_guard lock(mutex_);
      news_ = true;
    }
    changed_.notify_all();
  }
}

void Service::TellAction(const memory::Action& action) {
  if (recording_) recording_->Acted(action);
  if (action.verb == memory::Verb::kDropCaches) ::malloc_trim(0);
  nlohmann::json data = {{"verb", Name(action.verb)}, {"reason", action.reason}};
  if (action.verb == memory::Verb::kZone || action.verb == memory::Verb::kTell) {
    data["gauge"] = Name(action.gauge);
    data["from"] = Name(action.from);
    data["to"] = Name(action.to);
  }
  Tell({action.verb == memory::Verb::kZone ? "zone" : "action", std::move(data)});
  if (action.verb == memory::Verb::kTell) Notify("Memory runs short", action.reason);
}

void Service::TellTier(const engine::TierEvent& event) {
  if (recording_) recording_->TierChanged(event);
  Tell({"tier",
        {{"change", Name(event.change)},
         {"tier", event.title},
         {"ms", event.took.count()},
         {"text", event.text}}});
}

api::Status Service::Status() const {
  api::Status status;
  const engine::SchedulerStatus scheduler = scheduler_->status();
  const DeskStatus desk = desk_->status();
  const audio::SourceReport source = dictation()->source();
  status.version = HEADROOM_VERSION;
  status.pid = ::getpid();
  status.uptime = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - began_);
  switch (dictation()->state()) {
    case DictationState::kFinishing:
      status.phase = api::Phase::kDecoding;
      break;
    case DictationState::kIdle:
      status.phase = desk.waiting > 0 ? api::Phase::kDecoding : api::Phase::kIdle;
      break;
    case DictationState::kOpening:
      status.phase = api::Phase::kOpening;
      break;
    case DictationState::kListening:
      status.phase = api::Phase::kListening;
      break;
    case DictationState::kSpeaking:
      status.phase = api::Phase::kSpeech;
      break;
  }
  status.microphone = {.device = source.device,
                       .state = std::string(audio::Name(source.state)),
                       .trouble = source.trouble,
                       .dropped_samples = source.dropped};
  status.tier = scheduler.tier_title;
  const auto worst = std::ranges::max_element(scheduler.zones);
  status.memory.zone = Name(*worst);
  if (*worst != memory::Zone::kSafe) status.memory.why = scheduler.reason;
  status.memory.ram = scheduler.sample.ram;
  status.memory.swap = scheduler.sample.swap;
  status.memory.vram_total = scheduler.sample.vram_total;
  status.memory.vram_used = scheduler.sample.vram_used;
  status.memory.vram_ours = scheduler.sample.vram_ours;
  status.waiting = static_cast<std::int64_t>(desk.waiting);
  status.spool_free = desk.room;
  status.delivered = desk.counts.delivered;
  status.latency = desk.last_latency;
  const std::lock_guard lock(mutex_);
  switch (config_.speech.mode) {
    case ListenMode::kToggle:
      status.mode = "toggle";
      break;
    case ListenMode::kPushToTalk:
      status.mode = "push_to_talk";
      break;
    case ListenMode::kHandsFree:
      status.mode = "hands_free";
      break;
  }
  status.language = config_.speech.language;
  status.partial = partial_;
  status.yields = static_cast<int>(yields_.size());
  status.undelivered = undelivered_;
  for (const auto& [topic, text] : troubles_) status.troubles.push_back(text);
  return status;
}

// ---- what clients ask: the server's thread ----

void Service::Listen(const api::ListenRequest& request, api::Answer answer) {
  auto shared = std::make_shared<api::Answer>(std::move(answer));
  Post([this, request, shared] {
    auto vocabulary = ReadVocabulary(config_);
    engine::RunRequest run =
        RequestFor(config_, vocabulary ? std::move(*vocabulary) : std::vector<std::string>{});
    if (request.language == "auto") {
      run.language.clear();
    } else if (!request.language.empty()) {
      run.language = request.language;
    }
    desk_->SetRequest(std::move(run));
    dictation()->Listen();
    const std::lock_guard lock(mutex_);
    listeners_.push_back({shared, SystemClock().Now() + kListenWithin});
  });
}

void Service::Finish(api::Answer answer) {
  dictation()->Finish();
  GetStatus(std::move(answer));
}

void Service::Toggle(api::Answer answer) {
  if (dictation()->wanted()) {
    Finish(std::move(answer));
  } else {
    Listen({}, std::move(answer));
  }
}

void Service::Cancel(api::Answer answer) {
  dictation()->Cancel();
  desk_->CancelWaiting();
  GetStatus(std::move(answer));
}

void Service::Reload(api::Answer answer) {
  auto shared = std::make_shared<api::Answer>(std::move(answer));
  Post([this, shared] { (*shared)(ReloadNow()); });
}

void Service::Shutdown(api::Answer answer) {
  answer(api::ToJson(Status()));
  {
    const std::lock_guard lock(mutex_);
    shutdown_ = true;
  }
  changed_.notify_all();
}

void Service::GetStatus(api::Answer answer) {
  answer(api::ToJson(Status()));
}

void Service::GetHistory(const api::HistoryRequest& request, api::Answer answer) {
  auto shared = std::make_shared<api::Answer>(std::move(answer));
  Post([this, request, shared] {
    if (!history_) return (*shared)(Fail(Errc::kUnsupported, "no history is kept"));
    // Undelivered ones are few: they are looked for among the last thousand.
    auto entries =
        history_->Last(request.undelivered_only ? 1000 : static_cast<std::size_t>(request.limit));
    if (!entries) return (*shared)(std::unexpected(entries.error()));
    nlohmann::json list = nlohmann::json::array();
    for (const speech::HistoryEntry& entry : *entries) {
      if (request.undelivered_only && entry.arrival == speech::Arrival::kDelivered) continue;
      if (list.size() == static_cast<std::size_t>(request.limit)) break;
      list.push_back(api::ToJson(Shown(entry)));
    }
    (*shared)(nlohmann::json{{"entries", std::move(list)}});
  });
}

Result<speech::HistoryEntry> Service::EntryToPaste(std::optional<std::int64_t> id) {
  if (!history_) return Fail(Errc::kUnsupported, "no history is kept");
  std::optional<speech::HistoryEntry> entry;
  if (id) {
    TRY_ASSIGN(entry, history_->Find(*id));
  } else {
    TRY_ASSIGN(entry, history_->LastUndelivered());
    if (!entry) {
      TRY_ASSIGN(auto last, history_->Last(1));
      if (!last.empty()) entry = std::move(last.front());
    }
  }
  if (!entry) return Fail(Errc::kNotFound, "there is no such text in the history");
  return std::move(*entry);
}

Result<nlohmann::json> Service::Paste(const speech::HistoryEntry& entry) {
  TRY(post_office_->Paste(entry));
  if (entry.arrival != speech::Arrival::kDelivered) {
    TRY(history_->SetArrival(entry.id, speech::Arrival::kDelivered, "pasted"));
    const std::lock_guard lock(mutex_);
    undelivered_ = std::max<std::int64_t>(0, undelivered_ - 1);
  }
  return nlohmann::json{{"id", entry.id}, {"text", entry.text}};
}

void Service::PasteHistory(std::optional<std::int64_t> id, api::Answer answer) {
  auto shared = std::make_shared<api::Answer>(std::move(answer));
  Post([this, id, shared] {
    if (pasting_.valid() && pasting_.wait_for(Milliseconds(0)) != std::future_status::ready)
      return (*shared)(Fail(Errc::kBusy, "another text is being pasted"));
    auto entry = EntryToPaste(id);
    if (!entry) return (*shared)(std::unexpected(entry.error()));
    // A long text takes a while to type.
    pasting_ = std::async(std::launch::async,
                          [this, shared, entry = std::move(*entry)] { (*shared)(Paste(entry)); });
  });
}

void Service::ClearHistory(api::Answer answer) {
  auto shared = std::make_shared<api::Answer>(std::move(answer));
  Post([this, shared] {
    if (!history_) return (*shared)(Fail(Errc::kUnsupported, "no history is kept"));
    const auto all = history_->Last(std::numeric_limits<int>::max());
    const auto cleared = history_->Clear();
    if (!all || !cleared) return (*shared)(std::unexpected(all ? cleared.error() : all.error()));
    {
      const std::lock_guard lock(mutex_);
      undelivered_ = 0;
    }
    (*shared)(nlohmann::json{{"forgotten", all->size()}});
  });
}

void Service::BeginYield(api::YieldId id, const std::string& who, api::Answer answer) {
  auto shared = std::make_shared<api::Answer>(std::move(answer));
  Post([this, id, who, shared] {
    {
      const std::lock_guard lock(mutex_);
      yields_.push_back(id);
    }
    Tell({"yield", {{"who", who}, {"held", true}}});
    const bool left = scheduler_->Yield(true);
    (*shared)(left ? Result<nlohmann::json>(nlohmann::json{{"left", true}})
                   : Result<nlohmann::json>(Fail(Errc::kTimeout, "the card was not left in time")));
  });
}

void Service::EndYield(api::YieldId id) {
  Post([this, id] {
    bool none = false;
    {
      const std::lock_guard lock(mutex_);
      std::erase(yields_, id);
      none = yields_.empty();
    }
    Tell({"yield", {{"held", !none}}});
    if (none) scheduler_->Yield(false, Milliseconds(0));
  });
}

}  // namespace headroom::daemon
