#include "asr/client/device_lock.h"

#include <algorithm>
#include <cctype>

#include "base/dirs.h"
#include "observe/probe/pci.h"

namespace headroom::asr {

std::filesystem::path DeviceLockFolder() {
  return RuntimeDir();
}

std::vector<std::string> CardsForLocks(const std::filesystem::path& root) {
  std::vector<std::string> cards;
  for (const std::uint32_t vendor : {probe::kVendorNvidia, probe::kVendorAmd}) {
    for (const probe::DisplayCard& card : probe::FindDisplayCards(root, vendor))
      cards.push_back(card.pci);
  }
  return cards;
}

Result<FileLock> TryDeviceLock(const std::string& device, const std::filesystem::path& folder) {
  std::string name = device;
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != ':' && c != '-'; },
      '_');
  TRY(MakeDirectories(folder));
  auto lock = FileLock::Try(folder / fmt::format("card-{}.lock", name));
  if (!lock && lock.error().code == Errc::kBusy)
    return Fail(Errc::kBusy, "card {} is used by another headroom program", device);
  return lock;
}

}  // namespace headroom::asr
