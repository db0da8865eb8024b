// Checks the machine: microphone, models, Headroom's programs, GPUs, disk, limits.
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "app/cli/doctor.h"
#include "app/daemon/options.h"
#include "asr/client/worker.h"
#include "asr/planner/cpu_order.h"
#include "audio/capture/devices.h"
#include "base/dirs.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/sha256.h"
#include "models/store/store.h"
#include "observe/probe/device_probe.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

std::string Called(const audio::Device& device) {
  return device.description.empty() || device.description == device.name
             ? device.name
             : fmt::format("{} ({})", device.description, device.name);
}

Finding OfModel(const fs::path& path, const models::LockFile& lock) {
  const std::string name = path.filename();
  const models::LockEntry* entry = lock.Find(name);
  if (!entry)
    return {Health::kWarn, "model", name + " has no known checksum",
            "headroom models verify records one"};
  const auto sum = Sha256OfFile(path);
  if (!sum) return {Health::kFail, "model", sum.error().what, "headroom models verify"};
  if (*sum != entry->sha256)
    return {Health::kFail, "model", name + " has changed since it was installed",
            "headroom models rm, then headroom models pull"};
  return {Health::kOk, "model", name + " is installed and intact", ""};
}

Findings Missing(const Error& error, const std::string& pull) {
  return {{Health::kFail, "model", error.what, pull}};
}

}  // namespace

Findings CheckMicrophone(const DoctorContext& context) {
  const audio::SourceOptions options = app::SourceOptionsFor(context.config);
  const bool microphone = options.kind == audio::SourceKind::kAuto ||
                          options.kind == audio::SourceKind::kPulse ||
                          options.kind == audio::SourceKind::kAlsa;
  if (!microphone)
    return {{Health::kOk, "microphone",
             fmt::format("not used: audio.source is {}", audio::Name(options.kind)), ""}};
  const auto devices = audio::ListDevices(options.kind);
  if (!devices)
    return {{Health::kFail, "microphone", devices.error().what,
             "start PipeWire or PulseAudio: systemctl --user start pipewire-pulse"}};
  const auto choice = audio::DevicePreference(options.devices).Choose(*devices);
  const auto others = static_cast<std::size_t>(
      std::ranges::count_if(*devices, [](const auto& one) { return !one.monitor; }));
  if (!choice.device)
    return {{others == 0 ? Health::kFail : Health::kWarn, "microphone", choice.why,
             others == 0 ? "plug one in; headroom devices lists what is there"
                         : "choose another: run headroom devices, then set audio.device"}};
  const std::string kind(audio::Name(choice.device->kind));
  if (choice.device->muted)
    return {{Health::kWarn, "microphone", Called(*choice.device) + " is muted",
             "switch it on in the desktop's sound settings"}};
  if (choice.device->monitor)
    return {{Health::kWarn, "microphone",
             Called(*choice.device) + " is the monitor of an output, not a microphone",
             "headroom devices, then set audio.device"}};
  return {{Health::kOk, "microphone", fmt::format("{}, via {}", Called(*choice.device), kind), ""}};
}

Findings CheckModels(const DoctorContext& context) {
  const auto store = models::Store::Open();
  if (!store) return Missing(store.error(), "reinstall Headroom");
  const auto lock = store->ReadLock();
  if (!lock) return Missing(lock.error(), "move it away, then run headroom models verify");
  Findings findings;
  const auto look = [&](const Result<fs::path>& path) {
    findings.push_back(path ? OfModel(*path, *lock)
                            : Finding{Health::kFail, "model", path.error().what, ""});
  };
  look(store->ResolveVad());
  for (const planner::TierPreference& tier : context.config.models.tiers)
    look(store->Resolve(tier.model));
  if (context.config.models.tiers.empty()) look(store->ResolveDefault(planner::FastestOnCpu()));
  return findings;
}

Findings CheckPrograms(const DoctorContext&) {
  Findings findings;
  for (const char* name :
       {"headroom-decode", "headroom-probe", "headroom-worker-sim", "headroom-quantize"}) {
    if (const auto path = FindProgram(name); !path)
      findings.push_back({Health::kFail, "program", path.error().what, "reinstall Headroom"});
  }
  const auto worker = asr::Worker::Spawn({});
  if (!worker) {
    findings.push_back({Health::kFail, "worker", worker.error().what, "reinstall Headroom"});
    return findings;
  }
  const asr::Hello hello = (*worker)->hello();
  const auto stopped = (*worker)->Stop(Milliseconds(5000));
  if (!stopped || !stopped->ok())
    findings.push_back({Health::kFail, "worker",
                        stopped ? Describe(*stopped) : stopped.error().what,
                        "reinstall Headroom; journalctl -k shows whether the kernel killed it"});
  else
    findings.push_back(
        {Health::kOk, "worker", fmt::format("starts, {} on {}", hello.engine, hello.backend), ""});
  return findings;
}

Findings CheckGpus(const DoctorContext&) {
  constexpr Milliseconds kAnswersWithin{15'000}, kLook{100};
  probe::DeviceProbe probe({});
  probe::DeviceReport report;
  for (Milliseconds waited{0}; waited < kAnswersWithin; waited += kLook) {
    report = probe.Ask({}, false);
    if (report.measured_at || (report.state == probe::ProbeState::kDown && waited > 20 * kLook))
      break;
    ::poll(nullptr, 0, static_cast<int>(kLook.count()));
  }
  if (!report.measured_at)
    return {{Health::kWarn, "GPU", "the GPUs cannot be read: " + report.trouble,
             "dictation works on the CPU; the driver may hang, so restart the machine"}};
  if (report.devices.empty())
    return {{Health::kOk, "GPU", "none found; everything runs on the CPU", ""}};
  Findings findings;
  for (const probe::Device& device : report.devices) {
    const std::string name = device.name.empty() ? device.pci : device.name;
    if (device.state == probe::DeviceState::kLost || device.state == probe::DeviceState::kError)
      findings.push_back({Health::kWarn, "GPU", name + ": " + device.trouble,
                          "it is not used until this is fixed"});
    else if (device.total && device.used)
      findings.push_back({Health::kOk, "GPU",
                          fmt::format("{}: {} of {} in use", name, FormatBinary(*device.used),
                                      FormatBinary(*device.total)),
                          ""});
    else
      findings.push_back({Health::kOk, "GPU", fmt::format("{}: {}", name, Name(device.state)), ""});
  }
  return findings;
}

Findings CheckDisk(const DoctorContext& context) {
  const fs::path state = StateDir();
  fs::path existing = state;
  std::error_code none;
  while (!fs::exists(existing, none) && existing.has_relative_path())
    existing = existing.parent_path();
  if (::access(existing.c_str(), W_OK) != 0)
    return {{Health::kFail, "disk", existing.string() + " is not writable",
             "make it writable for your user; speech is stored there until it is recognised"}};
  const auto free = FreeSpace(state);
  if (!free) return {{Health::kFail, "disk", free.error().what, ""}};
  const auto spool = fs::file_size(state / "spool", none);
  const Bytes has = none ? Bytes(0) : Bytes(static_cast<std::int64_t>(spool));
  const Bytes wants = context.config.spool.size;
  const std::string what =
      fmt::format("{} free in {}; the spool holds {} of {}", FormatDecimal(*free), state.string(),
                  FormatBinary(has), FormatBinary(wants));
  if (has < wants && *free < wants - has)
    return {{Health::kFail, "disk", what, "free some space, or set a smaller spool.size"}};
  if (*free < MiB(256)) return {{Health::kWarn, "disk", what, "free some space"}};
  return {{Health::kOk, "disk", what, ""}};
}

Findings CheckLimits(const DoctorContext&) {
  constexpr rlim_t kEnoughFiles = 512;  // 256 connections of the control socket, and the rest
  rlimit files{}, locked{}, core{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  ::getrlimit(RLIMIT_MEMLOCK, &locked);
  ::getrlimit(RLIMIT_CORE, &core);
  const auto shown = [](rlim_t limit) {
    return limit == RLIM_INFINITY ? std::string("no limit")
                                  : FormatBinary(Bytes(static_cast<std::int64_t>(limit)));
  };
  const std::string what =
      fmt::format("{} open files, {} of locked memory", files.rlim_cur, shown(locked.rlim_cur));
  if (files.rlim_cur < kEnoughFiles)
    return {{Health::kWarn, "limits", what, fmt::format("ulimit -n {}", 2 * kEnoughFiles)}};
  return {{Health::kOk, "limits", what, ""}};
}

}  // namespace headroom::cli
