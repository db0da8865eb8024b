#include "observe/probe/amdgpu.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "observe/probe/kernel_text.h"
#include "observe/probe/pci.h"

namespace headroom::probe {
namespace {

namespace fs = std::filesystem;

std::optional<Bytes> ReadBytes(const fs::path& path) {
  const auto text = ReadText(path);
  return text ? ParseByteCount(*text) : std::nullopt;
}

// "card0", not "card0-DP-1" or "renderD128".
bool IsGpu(std::string_view name) {
  return name.starts_with("card") && ParseNumber(name.substr(4));
}

// PCI_SLOT_NAME of the uevent file, which the kernel fills from memory.
std::string PciAddress(const fs::path& folder) {
  const auto text = ReadText(folder / "uevent");
  std::string_view rest = text ? std::string_view(*text) : std::string_view(), line;
  while (NextLine(rest, line)) {
    constexpr std::string_view kKey = "PCI_SLOT_NAME=";
    if (line.starts_with(kKey) && IsPciAddress(line.substr(kKey.size())))
      return std::string(line.substr(kKey.size()));
  }
  return {};
}

// There is no plain flag in sysfs. gpu_metrics begins with u16 size, u8 format, u8 content; format
// 1 is for discrete GPUs, 2 and 3 for those in a CPU package. Where it is not there: a carve-out of
// the BIOS is small and all of it visible, and the GPU reaches more of the host than it has.
DeviceKind FindKind(const fs::path& folder, Bytes vram_total, std::optional<Bytes> gtt_total) {
  const auto metrics = ReadText(folder / "gpu_metrics");
  if (metrics && metrics->size() >= 4) {
    const auto format = static_cast<unsigned char>((*metrics)[2]);
    if (format == 1) return DeviceKind::kDiscrete;
    if (format == 2 || format == 3) return DeviceKind::kUnified;
  }
  const auto visible = ReadBytes(folder / "mem_info_vis_vram_total");
  const bool small = vram_total <= GiB(2) && visible == vram_total;
  return small && gtt_total > vram_total ? DeviceKind::kUnified : DeviceKind::kDiscrete;
}

}  // namespace

std::optional<FdinfoMemory> ParseFdinfo(std::string_view text) {
  FdinfoMemory memory;
  std::optional<std::int64_t> client;
  std::optional<Bytes> vram_old, vram, gtt_old, gtt;
  std::string_view line;
  while (NextLine(text, line)) {
    const auto field = KeyAndValue(line);
    if (!field) continue;
    const auto& [key, value] = *field;
    if (key == "drm-pdev")
      memory.pci = value.substr(0, kMostName);
    else if (key == "drm-client-id")
      client = ParseNumber(value);
    else if (key == "drm-memory-vram")
      vram_old = ParseSized(value);
    else if (key == "drm-resident-vram")
      vram = ParseSized(value);
    else if (key == "drm-memory-gtt")
      gtt_old = ParseSized(value);
    else if (key == "drm-resident-gtt")
      gtt = ParseSized(value);
  }
  if (!vram) vram = vram_old;
  if (!gtt) gtt = gtt_old;
  if (!client || !IsPciAddress(memory.pci) || (!vram && !gtt)) return std::nullopt;
  memory.client = *client;
  memory.vram = vram.value_or(Bytes(0));
  memory.gtt = gtt.value_or(Bytes(0));
  return memory;
}

std::vector<Device> AmdgpuReader::Read(std::span<const pid_t> ours, bool rest) {
  std::vector<Device> devices;
  std::error_code error;
  for (fs::directory_iterator entry(root_ / "sys/class/drm", error), end; !error && entry != end;
       entry.increment(error)) {
    if (!IsGpu(entry->path().filename().native())) continue;
    const fs::path folder = entry->path() / "device";
    const auto vendor = ReadText(folder / "vendor");
    if (!vendor || ParseHex(*vendor) != kVendorAmd) continue;
    Device device;
    device.driver = "amdgpu";
    device.pci = PciAddress(folder);
    if (device.pci.empty() || devices.size() == kMostDevices) continue;
    const auto id = ReadText(folder / "device");
    device.name = fmt::format("AMD {:04x}", id ? ParseHex(*id).value_or(0) : 0);
    const PowerState power = ReadPowerState(folder);
    device.can_sleep = power.can_sleep;
    if (!power.awake)
      device.state = DeviceState::kSuspended;
    else if (rest && power.can_sleep)
      device.state = DeviceState::kResting;
    else
      ReadMemory(folder, device);
    if (const auto known = kinds_.find(device.pci); known != kinds_.end())
      device.kind = known->second;
    devices.push_back(std::move(device));
  }
  ReadUse(ours, devices);
  std::ranges::sort(devices, {}, &Device::pci);
  return devices;
}

void AmdgpuReader::ReadMemory(const fs::path& folder, Device& device) {
  const auto total = ReadBytes(folder / "mem_info_vram_total");
  const auto used = ReadBytes(folder / "mem_info_vram_used");
  device.gtt_total = ReadBytes(folder / "mem_info_gtt_total");
  device.gtt_used = ReadBytes(folder / "mem_info_gtt_used");
  if (!total || !used || total->n == 0 || *used > *total) {
    device.gtt_total = device.gtt_used = std::nullopt;
    device.trouble = "mem_info_vram_total or _used cannot be read or is not believable";
    return;
  }
  auto known = kinds_.find(device.pci);
  if (known == kinds_.end())
    known = kinds_.emplace(device.pci, FindKind(folder, *total, device.gtt_total)).first;
  device.state = DeviceState::kActive;
  device.total = total, device.used = used;
  if (known->second == DeviceKind::kUnified && device.gtt_total && device.gtt_used) {
    *device.total += *device.gtt_total;
    *device.used += *device.gtt_used;
  }
}

void AmdgpuReader::ReadUse(std::span<const pid_t> ours, std::vector<Device>& devices) const {
  const bool any = std::ranges::any_of(
      devices, [](const Device& device) { return device.state == DeviceState::kActive; });
  if (!any) return;
  std::set<std::pair<std::string, std::int64_t>> counted;  // a client has many descriptors
  for (const pid_t pid : ours) {
    const fs::path process = root_ / "proc" / std::to_string(pid);
    std::error_code error;
    for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code ignored;
      const fs::path target = fs::read_symlink(entry->path(), ignored);
      if (!target.native().starts_with("/dev/dri/")) continue;
      const auto text = ReadText(process / "fdinfo" / entry->path().filename());
      const auto memory = text ? ParseFdinfo(*text) : std::nullopt;
      if (!memory || !counted.emplace(memory->pci, memory->client).second) continue;
      const auto device = std::ranges::find(devices, memory->pci, &Device::pci);
      if (device == devices.end() || device->state != DeviceState::kActive) continue;
      Bytes use = memory->vram;
      if (device->kind == DeviceKind::kUnified) use += memory->gtt;
      const auto known = std::ranges::find(device->processes, pid, &DeviceUse::pid);
      if (known != device->processes.end())
        *known->used += use;
      else if (device->processes.size() < kMostProcesses)
        device->processes.push_back({pid, use});
    }
  }
}

}  // namespace headroom::probe
