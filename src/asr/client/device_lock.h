// One owner for each GPU among this user's programs: a lock file that the kernel frees when its
// holder dies. A program that loads a model on a GPU holds it for the worker's life, and `headroom
// yield` while its command runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"

namespace headroom::asr {

/// RuntimeDir().
std::filesystem::path DeviceLockFolder();

/// `device`: the GPU's PCI address, or another name that all programs use for it. kBusy: another
/// program has it.
Result<FileLock> TryDeviceLock(const std::string& device,
                               const std::filesystem::path& folder = DeviceLockFolder());

/// The graphics cards of this machine by the names that their locks have.
std::vector<std::string> GpusForLocks(const std::filesystem::path& root = "/");

}  // namespace headroom::asr
