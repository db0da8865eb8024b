// What clients of the control socket ask of the service. The calls come on the server's thread.
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/daemon/service.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kListenWithin{8'000};  // for the first sample

net::HistoryEntry Shown(const speech::HistoryEntry& entry) {
  net::HistoryEntry shown;
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

}  // namespace

net::Status Service::Status() const {
  net::Status status;
  const asr::SchedulerStatus scheduler = scheduler_->status();
  const PipelineStatus pipeline = pipeline_->status();
  const audio::SourceReport source = dictation()->source();
  status.version = HEADROOM_VERSION;
  status.pid = ::getpid();
  status.uptime = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - began_);
  switch (dictation()->state()) {
    case DictationState::kFinishing:
      status.phase = net::Phase::kDecoding;
      break;
    case DictationState::kIdle:
      status.phase = pipeline.waiting > 0 ? net::Phase::kDecoding : net::Phase::kIdle;
      break;
    case DictationState::kOpening:
      status.phase = net::Phase::kOpening;
      break;
    case DictationState::kListening:
      status.phase = net::Phase::kListening;
      break;
    case DictationState::kSpeaking:
      status.phase = net::Phase::kSpeaking;
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
  status.waiting = static_cast<std::int64_t>(pipeline.waiting);
  status.spool_free = pipeline.room;
  status.delivered = pipeline.counts.delivered;
  status.latency = pipeline.last_latency;
  if (const Serving* serving = this->serving()) {
    status.draining = serving->draining();
    status.clients = static_cast<int>(serving->begun());
  }
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
  for (const auto& [topic, text] : warnings_) status.troubles.push_back(text);
  return status;
}

void Service::Listen(const net::ListenRequest& request, net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, request, shared] {
    asr::RunRequest run = request_;
    if (request.language == "auto") {
      run.language.clear();
    } else if (!request.language.empty()) {
      run.language = request.language;
    }
    pipeline_->SetRequest(std::move(run));
    dictation()->Listen();
    const std::lock_guard lock(mutex_);
    listeners_.push_back({shared, SystemClock().Now() + kListenWithin});
  });
}

void Service::Finish(net::Answer answer) {
  dictation()->Finish();
  GetStatus(std::move(answer));
}

void Service::Toggle(net::Answer answer) {
  if (dictation()->wanted()) {
    Finish(std::move(answer));
  } else {
    Listen({}, std::move(answer));
  }
}

void Service::Cancel(net::Answer answer) {
  dictation()->Cancel();
  pipeline_->CancelWaiting();
  GetStatus(std::move(answer));
}

void Service::Reload(net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, shared] { (*shared)(ReloadNow()); });
}

void Service::Shutdown(net::Answer answer) {
  answer(net::ToJson(Status()));
  {
    const std::lock_guard lock(mutex_);
    shutdown_ = true;
  }
  changed_.notify_all();
}

void Service::GetStatus(net::Answer answer) {
  answer(net::ToJson(Status()));
}

void Service::GetHistory(const net::HistoryRequest& request, net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
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
      list.push_back(net::ToJson(Shown(entry)));
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
  TRY(text_delivery_->Paste(entry));
  if (entry.arrival != speech::Arrival::kDelivered) {
    TRY(history_->SetArrival(entry.id, speech::Arrival::kDelivered, "pasted"));
    const std::lock_guard lock(mutex_);
    undelivered_ = std::max<std::int64_t>(0, undelivered_ - 1);
  }
  return nlohmann::json{{"id", entry.id}, {"text", entry.text}};
}

void Service::PasteHistory(std::optional<std::int64_t> id, net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
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

void Service::ClearHistory(net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
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

void Service::BeginYield(net::YieldId id, const std::string& who, net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, id, who, shared] {
    {
      const std::lock_guard lock(mutex_);
      yields_.push_back(id);
    }
    Publish(net::YieldChanged{who, true});
    const bool left = scheduler_->Yield(true);
    (*shared)(left ? Result<nlohmann::json>(nlohmann::json{{"left", true}})
                   : Result<nlohmann::json>(Fail(Errc::kTimeout, "the card was not left in time")));
  });
}

void Service::EndYield(net::YieldId id) {
  Post([this, id] {
    bool none = false;
    {
      const std::lock_guard lock(mutex_);
      std::erase(yields_, id);
      none = yields_.empty();
    }
    Publish(net::YieldChanged{std::nullopt, !none});
    if (none) scheduler_->Yield(false, Milliseconds(0));
  });
}

}  // namespace headroom::app
