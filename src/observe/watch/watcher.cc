#include "observe/watch/watcher.h"

#include <algorithm>
#include <map>

#include "observe/watch/sample_of.h"

namespace headroom::watch {
namespace {

using record::Event;
using record::EventKind;
using record::Key;

bool Wanted(const probe::Device& device, const std::string& gpus) {
  if (gpus == "all") return true;
  return device.pci.contains(gpus) || device.name.contains(gpus) || device.uuid.contains(gpus);
}

// The smallest as one line, so that a target of a thousand processes stays small.
void SumUp(std::vector<record::ProcessSample>& processes, std::size_t most) {
  if (processes.size() <= most) return;
  std::ranges::stable_sort(processes, std::ranges::greater(), [](const auto& process) {
    return std::max(process.counted, process.gpu);
  });
  record::ProcessSample rest;
  rest.role = "others";
  const auto add = [](std::optional<Bytes>& sum, const std::optional<Bytes>& one) {
    if (one) sum = sum.value_or(Bytes()) + *one;
  };
  for (std::size_t i = most - 1; i < processes.size(); ++i) {
    add(rest.rss, processes[i].rss), add(rest.counted, processes[i].counted);
    add(rest.swap, processes[i].swap), add(rest.gpu, processes[i].gpu);
  }
  processes.resize(most - 1);
  processes.push_back(std::move(rest));
}

}  // namespace

Watcher::Watcher(WatchOptions options, probe::DeviceSource& devices, const Clock& clock,
                 RunProgram run)
    : options_(std::move(options)),
      devices_(devices),
      clock_(clock),
      finder_(options_.target, options_.root, std::move(run), options_.look_every),
      kernel_(options_.root / "dev/kmsg") {}

void Watcher::TellTarget(const Members& members, Observation& seen) {
  if (options_.target.kind == TargetKind::kMachine) return;
  const auto& all = members.processes;
  const auto oldest = std::ranges::min_element(all, {}, &Process::started);
  const bool running = oldest != all.end();
  const auto report = [&](std::string_view step, const Process& process) {
    seen.events.push_back(Event{EventKind::kTarget, seen.sample.at, {}}
                              .With(Key::kStep, step)
                              .With(Key::kPid, process.pid)
                              .With(Key::kName, process.name));
  };
  const bool same = running && main_ && std::ranges::any_of(all, [this](const Process& process) {
                      return process.pid == main_->pid && process.started == main_->started;
                    });
  if (running_ && !same && main_) report("ended", *main_);
  if (running && !same) {
    report(ever_ ? "restarted" : "found", *oldest);
    main_ = *oldest;
    ever_ = true;
  }
  running_ = running;
}

Observation Watcher::Look(std::optional<MonoTime> due) {
  Observation seen;
  Result<Members> found = finder_.Find(clock_.Now());
  if (!found) seen.trouble = found.error().what;
  const Members members = found ? std::move(*found) : Members();
  if (!sampler_ || cgroup_ != members.cgroup) {
    cgroup_ = members.cgroup;
    sampler_ = std::make_unique<probe::Sampler>(
        probe::SamplerOptions{.root = options_.root, .cgroup = cgroup_}, devices_, clock_);
  }
  std::vector<pid_t> pids;
  std::map<pid_t, std::string> roles;
  for (const Process& process : members.processes) {
    pids.push_back(process.pid);
    roles[process.pid] = process.name;
  }
  probe::Sample sample = sampler_->Take(pids, /*idle=*/options_.gpus == "none", due);
  if (!cgroup_) sample.cgroup.reset();  // that would be ours
  std::erase_if(sample.devices,
                [this](const auto& one) { return !Wanted(one.device, options_.gpus); });

  seen.sample = SampleOf(sample, roles);
  seen.gpus = GpuNames(sample);
  seen.processes = members.processes.size();
  const bool machine = options_.target.kind == TargetKind::kMachine;
  if (machine) {
    seen.sample.service = record::ServiceSample();
    for (record::GpuSample& gpu : seen.sample.gpus) gpu.own.reset();
  } else if (members.processes.empty()) {
    seen.sample.service.ram = seen.sample.service.swap = Bytes(0);
  }
  FillZones(seen.sample, options_.thresholds);
  for (const probe::DeviceSample& one : sample.devices) {
    for (const probe::DeviceUse& use : one.device.processes) {
      const auto role = roles.find(use.pid);
      const auto process = role == roles.end() ? ReadProcess(options_.root, use.pid) : std::nullopt;
      seen.owners.push_back({one.device.pci, use.pid,
                             role != roles.end() ? role->second
                             : process           ? process->name
                                                 : std::string(),
                             use.used, role != roles.end() && !machine});
    }
  }
  SumUp(seen.sample.processes, kMostProcesses);
  TellTarget(members, seen);
  if (last_) {
    for (Event& event : Changes(*last_, seen.sample)) seen.events.push_back(std::move(event));
  }
  // Said once, so that a reader of the record knows what it means that no such line is in it.
  if (!last_)
    seen.events.push_back(
        Event{EventKind::kRecording, seen.sample.at, {}}
            .With(record::Key::kStep, "kernel_log")
            .With(record::Key::kReason, kernel_.readable() ? "followed" : "not readable"));
  for (Event& event : kernel_.Read(seen.sample.at)) seen.events.push_back(std::move(event));
  last_ = seen.sample;
  return seen;
}

}  // namespace headroom::watch
