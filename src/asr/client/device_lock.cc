#include "asr/client/device_lock.h"

#include <algorithm>
#include <cctype>

#include "base/dirs.h"
#include "observe/probe/pci.h"

namespace headroom::asr {

std::filesystem::path DeviceLockFolder() {
  return RuntimeDir();
}

std::vector<std::string> GpusForLocks(const std::filesystem::path& root) {
  std::vector<std::string> gpus;
  for (const std::uint32_t vendor : {probe::kVendorNvidia, probe::kVendorAmd}) {
    for (const probe::DisplayCard& gpu : probe::FindDisplayCards(root, vendor))
      gpus.push_back(gpu.pci);
  }
  return gpus;
}

Result<FileLock> TryDeviceLock(const std::string& device, const std::filesystem::path& folder) {
  std::string name = device;
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != ':' && c != '-'; },
      '_');
  TRY(MakeDirectories(folder));
  auto lock = FileLock::Try(folder / fmt::format("card-{}.lock", name));
  if (!lock && lock.error().code == Errc::kBusy)
    return Fail(Errc::kBusy, "GPU {} is used by another headroom program", device);
  return lock;
}

}  // namespace headroom::asr
