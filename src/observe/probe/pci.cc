#include "observe/probe/pci.h"

#include <algorithm>

#include "base/text.h"
#include "observe/probe/kernel_text.h"

namespace headroom::probe {

namespace fs = std::filesystem;

PowerState ReadPowerState(const fs::path& device) {
  const auto status = ReadText(device / "power/runtime_status");
  if (!status) {
    // Without the file there is no runtime power management. When the GPU itself has gone, or the
    // file is there and cannot be read, leave it alone.
    std::error_code ignored;
    const bool none = fs::exists(device, ignored) &&
                      !fs::exists(device / "power/runtime_status", ignored) && !ignored;
    return {.awake = none, .can_sleep = false};
  }
  const std::string_view word = Trim(*status);
  const auto control = ReadText(device / "power/control");
  return {.awake = word == "active" || word == "unsupported",
          .can_sleep = word != "unsupported" && control && Trim(*control) == "auto"};
}

std::vector<DisplayCard> FindDisplayCards(const fs::path& root, std::uint32_t vendor) {
  constexpr std::uint32_t kDisplay = 0x03;
  std::vector<DisplayCard> gpus;
  std::error_code error;
  for (fs::directory_iterator entry(root / "sys/bus/pci/devices", error), end;
       !error && entry != end; entry.increment(error)) {
    const fs::path& folder = entry->path();
    const std::string address = folder.filename();
    if (!IsPciAddress(address)) continue;
    const auto klass = ReadText(folder / "class"), maker = ReadText(folder / "vendor");
    const auto class_id = klass ? ParseHex(*klass) : std::nullopt;
    if (!class_id || *class_id >> 16 != kDisplay) continue;
    if (!maker || ParseHex(*maker) != vendor) continue;
    const auto device = ReadText(folder / "device");
    gpus.push_back({.pci = address,
                    .device_id = device ? ParseHex(*device).value_or(0) : 0,
                    .power = ReadPowerState(folder)});
  }
  std::ranges::sort(gpus, {}, &DisplayCard::pci);
  return gpus;
}

bool IsPciAddress(std::string_view text) {
  // Domains can have more than four digits (VMD), functions are 0 to 7.
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const std::size_t domain = text.find(':');
  if (domain == std::string_view::npos || domain < 4 || domain > 8) return false;
  if (text.size() != domain + 8 || text[domain + 3] != ':' || text[domain + 6] != '.') return false;
  for (const std::size_t at : {domain + 1, domain + 2, domain + 4, domain + 5, domain + 7}) {
    if (!hex(text[at])) return false;
  }
  return std::ranges::all_of(text.substr(0, domain), hex);
}

}  // namespace headroom::probe
