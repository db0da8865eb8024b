#include "app/daemon/status_view.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

namespace headroom::app {
namespace {

net::Phase PhaseOf(DictationState state, std::size_t waiting) {
  switch (state) {
    case DictationState::kFinishing:
      return net::Phase::kDecoding;
    case DictationState::kIdle:
      return waiting > 0 ? net::Phase::kDecoding : net::Phase::kIdle;
    case DictationState::kOpening:
      return net::Phase::kOpening;
    case DictationState::kListening:
      return net::Phase::kListening;
    case DictationState::kSpeaking:
      return net::Phase::kSpeaking;
  }
  return net::Phase::kIdle;
}

net::MemoryUse MemoryOf(const asr::SchedulerStatus& scheduler) {
  net::MemoryUse memory;
  const auto worst = std::ranges::max_element(scheduler.zones);
  memory.zone = Name(*worst);
  if (*worst != memory::Zone::kSafe) memory.why = scheduler.reason;
  memory.ram = scheduler.sample.ram;
  memory.swap = scheduler.sample.swap;
  memory.vram_total = scheduler.sample.vram_total;
  memory.vram_used = scheduler.sample.vram_used;
  memory.vram_ours = scheduler.sample.vram_ours;
  return memory;
}

}  // namespace

StatusView::StatusView(StatusSources sources, const Clock& clock)
    : sources_(std::move(sources)), clock_(clock), began_(clock.Now()) {}

net::Status StatusView::Now() const {
  net::Status status;
  const asr::SchedulerStatus scheduler = sources_.scheduler();
  const PipelineStatus pipeline = sources_.pipeline();
  const audio::SourceReport source = sources_.source();
  status.version = HEADROOM_VERSION;
  status.pid = ::getpid();
  status.uptime = std::chrono::duration_cast<Milliseconds>(clock_.Now() - began_);
  status.phase = PhaseOf(sources_.state(), pipeline.waiting);
  status.microphone = {.device = source.device,
                       .state = std::string(audio::Name(source.state)),
                       .trouble = source.problem,
                       .dropped_samples = source.dropped};
  status.tier = scheduler.tier_title;
  status.memory = MemoryOf(scheduler);
  status.waiting = static_cast<std::int64_t>(pipeline.waiting);
  if (pipeline.spooled) status.spool_free = pipeline.room;
  status.delivered = pipeline.counts.delivered;
  status.latency = pipeline.last_latency;
  std::tie(status.draining, status.clients) = sources_.served();
  status.undelivered = sources_.undelivered();
  status.yields = sources_.yields();
  const MutexLock lock(mutex_);
  status.mode = Name(mode_);
  status.language = language_;
  status.partial = partial_;
  for (const auto& [topic, text] : warnings_) status.troubles.push_back(text);
  return status;
}

// What a person would want to see again, and not what changes all the time.
std::optional<net::Status> StatusView::Changed() {
  net::Status status = Now();
  nlohmann::json seen = net::ToJson(status);
  for (const char* often : {"uptime_ms", "memory", "spool_free_ms", "partial"}) seen.erase(often);
  seen["zone"] = status.memory.zone;
  std::string text = seen.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const MutexLock lock(mutex_);
  if (text == given_) return std::nullopt;
  given_ = std::move(text);
  return status;
}

void StatusView::SetSpeech(ListenMode mode, std::string language) {
  const MutexLock lock(mutex_);
  mode_ = mode;
  language_ = std::move(language);
}

void StatusView::SetWarning(const std::string& topic, std::string text) {
  const MutexLock lock(mutex_);
  std::erase_if(warnings_, [&](const auto& warning) { return warning.first == topic; });
  if (!text.empty()) warnings_.emplace_back(topic, std::move(text));
}

void StatusView::SetPartial(std::string text) {
  const MutexLock lock(mutex_);
  partial_ = std::move(text);
}

void StatusView::On(const net::Event& event) {
  std::visit(net::Visitor{
                 [this](const net::PartialText& e) { SetPartial(e.committed + e.tentative); },
                 [this](const net::StateChanged&) { SetPartial(""); },
                 [this](const net::TextDelivered&) { SetPartial(""); },
                 [this](const net::SourceChanged& e) { SetWarning("microphone", e.trouble); },
                 [this](const net::Warning& e) { SetWarning("last", e.error.what); },
                 [](const auto&) {},
             },
             event);
}

}  // namespace headroom::app
