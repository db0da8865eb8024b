#include "observe/probe/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "observe/probe/kernel_text.h"

namespace headroom::probe {
namespace {

// nvmlReturn_t
enum : int {
  kSuccess = 0,
  kUninitialized = 1,
  kNotSupported = 3,
  kInsufficientSize = 7,
  kGpuIsLost = 15,
  kResetRequired = 16,
};

// nvmlMemory_t
struct MemoryInfo {
  unsigned long long total, free, used;
};

// nvmlProcessInfo_t of the _v2 and _v3 calls
struct ProcessInfo {
  unsigned int pid;
  unsigned long long used;  // all ones: not available
  unsigned int gpu_instance, compute_instance;
};

std::string Describe(int code) {
  switch (code) {
    case kUninitialized:
      return "NVML is not initialised (1)";
    case kNotSupported:
      return "not supported (3)";
    case 4:
      return "no permission (4)";
    case 6:
      return "no such GPU (6)";
    case 9:
      return "the NVIDIA driver is not loaded (9)";
    case 10:
      return "the driver timed out (10)";
    case 12:
      return "a library of the driver is missing (12)";
    case kGpuIsLost:
      return "the GPU has fallen off the bus (15)";
    case kResetRequired:
      return "the GPU must be reset (16)";
    case 17:
      return "the operating system blocks the GPU (17)";
    case 18:
      return "driver and library are of different versions; restart the computer (18)";
    case 999:
      return "unknown driver error (999)";
    default:
      return fmt::format("NVML error {}", code);
  }
}

std::string Text(const char* text, std::size_t size) {
  return Printable({text, std::min(strnlen(text, size), kMostName)});
}

std::optional<Bytes> Counted(unsigned long long value) {
  if (value > static_cast<unsigned long long>(kMostBytes.n)) return std::nullopt;
  return Bytes(static_cast<std::int64_t>(value));
}

}  // namespace

struct Nvml::Functions {
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*by_address)(const char*, void**) = nullptr;
  int (*memory)(void*, MemoryInfo*) = nullptr;
  // These may be missing in an old library; what they report is then absent.
  int (*driver_version)(char*, unsigned int) = nullptr;
  int (*name)(void*, char*, unsigned int) = nullptr;
  int (*uuid)(void*, char*, unsigned int) = nullptr;
  int (*compute)(void*, unsigned int*, ProcessInfo*) = nullptr;
  int (*graphics)(void*, unsigned int*, ProcessInfo*) = nullptr;
};

Nvml::Nvml(void* library, std::unique_ptr<Functions> functions)
    : library_(library), functions_(std::move(functions)) {}

Result<std::unique_ptr<Nvml>> Nvml::Open(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = ::dlerror();
    return Fail(Errc::kNotFound, "{}", why ? Printable(why) : library + ": cannot be loaded");
  }
  auto functions = std::make_unique<Functions>();
  const auto find = [handle](auto& function, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(handle, name));
      if (function) return true;
    }
    return false;
  };
  Functions& f = *functions;
  const char* missing = nullptr;
  if (!find(f.init, {"nvmlInit_v2"})) missing = "nvmlInit_v2";
  if (!find(f.shutdown, {"nvmlShutdown"})) missing = "nvmlShutdown";
  if (!find(f.by_address, {"nvmlDeviceGetHandleByPciBusId_v2"}))
    missing = "nvmlDeviceGetHandleByPciBusId_v2";
  if (!find(f.memory, {"nvmlDeviceGetMemoryInfo"})) missing = "nvmlDeviceGetMemoryInfo";
  find(f.driver_version, {"nvmlSystemGetDriverVersion"});
  find(f.name, {"nvmlDeviceGetName"});
  find(f.uuid, {"nvmlDeviceGetUUID"});
  find(f.compute,
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"});
  find(f.graphics,
       {"nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2"});
  std::unique_ptr<Nvml> nvml(new Nvml(handle, std::move(functions)));
  if (missing) return Fail(Errc::kUnsupported, "{} lacks {}", library, missing);
  if (const int code = f.init(); code != kSuccess)
    return Fail(Errc::kIo, "start NVML: {}", Describe(code));
  nvml->initialised_ = true;
  std::array<char, 96> version{};
  if (f.driver_version && f.driver_version(version.data(), version.size()) == kSuccess)
    nvml->driver_ = Text(version.data(), version.size());
  return nvml;
}

Nvml::~Nvml() {
  if (initialised_) functions_->shutdown();
  ::dlclose(library_);
}

bool Nvml::Read(Device& device) {
  const Functions& f = *functions_;
  device.driver = driver_;
  const auto fail = [&](int code) {
    const bool lost = code == kGpuIsLost || code == kResetRequired;
    device.state = lost ? DeviceState::kLost : DeviceState::kError;
    device.trouble = Describe(code);
    return code != kUninitialized;
  };
  void* handle = nullptr;
  if (const int code = f.by_address(device.pci.c_str(), &handle); code != kSuccess)
    return fail(code);
  std::array<char, 96> text{};
  if (f.name && f.name(handle, text.data(), text.size()) == kSuccess)
    device.name = Text(text.data(), text.size());
  text.fill(0);
  if (f.uuid && f.uuid(handle, text.data(), text.size()) == kSuccess)
    device.uuid = Text(text.data(), text.size());
  MemoryInfo memory{};
  if (const int code = f.memory(handle, &memory); code != kSuccess) return fail(code);
  const auto total = Counted(memory.total), used = Counted(memory.used);
  if (!total || !used || *used > *total || total->n == 0) {
    device.state = DeviceState::kError;
    device.trouble = "the driver's memory numbers are not believable";
    return true;
  }
  device.state = DeviceState::kActive;
  device.total = total;
  device.used = used;
  ReadProcesses(handle, device);
  return true;
}

void Nvml::ReadProcesses(void* handle, Device& device) {
  for (const auto list : {functions_->compute, functions_->graphics}) {
    if (!list) continue;
    // The list may grow between two calls; what does not fit after the second is left out.
    std::vector<ProcessInfo> infos(64);
    auto count = static_cast<unsigned int>(infos.size());
    int code = list(handle, &count, infos.data());
    if (code == kInsufficientSize && count <= kMostProcesses) {
      infos.resize(count + std::size_t{16});
      count = static_cast<unsigned int>(infos.size());
      code = list(handle, &count, infos.data());
    }
    if (code != kSuccess) continue;
    infos.resize(std::min<std::size_t>(count, infos.size()));
    for (const ProcessInfo& info : infos) {
      if (info.pid == 0 || info.pid > unsigned{std::numeric_limits<pid_t>::max()}) continue;
      const DeviceUse use{static_cast<pid_t>(info.pid), Counted(info.used)};
      // A process that computes and draws is in both lists with the same total.
      const auto known = std::ranges::find(device.processes, use.pid, &DeviceUse::pid);
      if (known == device.processes.end()) {
        if (device.processes.size() < kMostProcesses) device.processes.push_back(use);
      } else if (use.used && (!known->used || *use.used > *known->used)) {
        known->used = use.used;
      }
    }
  }
}

}  // namespace headroom::probe
