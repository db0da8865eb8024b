// The service's scheduler: made from the configuration and what this machine has, and what
// it reports.
#include <malloc.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/daemon/service.h"
#include "asr/planner/gpu.h"
#include "asr/planner/tiers.h"
#include "asr/scheduler/readings.h"
#include "asr/scheduler/worker_runner.h"
#include "base/file.h"
#include "models/store/store.h"
#include "observe/probe/device_probe.h"
#include "observe/probe/host.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kGpuWithin{3'000};  // for a driver that is being loaded

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

Result<> Service::StartScheduler() {
  TRY_ASSIGN(const auto store, models::Store::Open());
  planner::TierOptions config;
  config.config = config_.models.tiers;
  config.place = config_.models.device;
  config.threads = config_.models.threads;
  config.batch = config_.models.batch;
  config.translate_to = config_.speech.translate_to;
  config.chunks = config_.memory.chunks;
  config.host = HostNow();
  if (config.place != planner::Place::kCpu) {
    probe::DeviceProbe devices({});
    config.gpu = planner::FindGpu(devices, kGpuWithin, config_.models.gpu);
    if (!config.gpu && !config_.models.gpu.empty())
      Publish(
          net::Notice{fmt::format("models.card: there is no GPU {} that this installation has a "
                                  "worker for; headroom doctor lists the GPUs",
                                  config_.models.gpu)});
  }
  TRY_ASSIGN(planner::Tiers tiers, planner::MakeTiers(store, config));
  if (!tiers.notes.empty()) Publish(net::Notice{Words(tiers.notes)});

  asr::SchedulerOptions options;
  options.policy.chunks = config_.memory.chunks;
  options.policy.thresholds = config_.memory.thresholds;
  if (config_.models.idle.count() > 0) options.policy.timing.idle = config_.models.idle;
  options.when_cold = config_.models.when_cold;
  if (config_.speech.language != "auto") options.language = config_.speech.language;
  const bool gpu = std::ranges::any_of(tiers.tiers, &asr::Tier::on_gpu);
  options.tiers = std::move(tiers.tiers);
  std::vector<asr::Tier> ranked = options.tiers;

  asr::SchedulerEvents events;
  events.on_action = [this](const memory::Action& action) { PublishAction(action); };
  events.on_tier = [this](const asr::TierEvent& event) { PublishTier(event); };
  events.on_restart = [this](const std::string& reason) {
    Publish(net::Restarting{reason});
    restart_ = true;
    tasks_.Wake();
  };
  asr::ProbeReadingsOptions readings;
  readings.devices = gpu;
  if (config.gpu) readings.gpu = config.gpu->device;
  readings.on_sample = [this, gpu = readings.gpu](const probe::Sample& sample) {
    if (recording_) recording_->Measured(sample, gpu);
  };
  TRY_ASSIGN(scheduler_, asr::Scheduler::Make(std::move(options), std::move(events),
                                              std::make_unique<asr::ProbeReadings>(readings),
                                              std::make_unique<asr::WorkerRunnerMaker>()));
  models_ = std::make_unique<ModelController>(
      *scheduler_, std::move(ranked), [this] { return MayUnload(); }, clock_);
  return {};
}

void Service::PublishAction(const memory::Action& action) {
  if (recording_) recording_->Acted(action);
  if (action.kind == memory::ActionKind::kDropCaches) ::malloc_trim(0);
  if (action.kind == memory::ActionKind::kZone) {
    Publish(net::ZoneChanged{action.gauge, action.from, action.to, action.reason});
  } else {
    Publish(net::ActionTaken{action});
  }
  if (action.kind == memory::ActionKind::kNotify) Notify("Memory runs short", action.reason);
}

void Service::PublishTier(const asr::TierEvent& event) {
  if (recording_) recording_->TierChanged(event);
  Publish(net::TierChanged{std::string(Name(event.change)), event.title, event.took, event.text});
}

}  // namespace headroom::app
