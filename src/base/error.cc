#include "base/error.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace headroom {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "invalid",     "not_found", "exists",      "permission", "corrupt", "checksum",
    "unsupported", "io",        "no_space",    "no_memory",  "network", "timeout",
    "cancelled",   "protocol",  "worker_lost", "busy",       "internal"};
static_assert(static_cast<std::size_t>(Errc::kInternal) + 1 == kNames.size());

Errc CodeOf(int err) {
  switch (err) {
    case ENOENT:
    case ENOTDIR:
      return Errc::kNotFound;
    case EEXIST:
      return Errc::kExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::kPermission;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Errc::kNoSpace;
    case ENOMEM:
      return Errc::kNoMemory;
    case EBUSY:
    case EAGAIN:
      return Errc::kBusy;
    case ETIMEDOUT:
      return Errc::kTimeout;
    case EINVAL:
    case ENAMETOOLONG:
    case EISDIR:
      return Errc::kInvalid;
    default:
      return Errc::kIo;
  }
}

}  // namespace

std::string_view Name(Errc code) {
  return kNames[static_cast<std::size_t>(code)];
}

Errc ErrcFromName(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Errc>(i);
  }
  return Errc::kInternal;
}

Error Error::Within(std::string_view context) && {
  return {code, fmt::format("{}: {}", context, what)};
}

Error Errno(int err, std::string_view context) {
  // generic_category().message is thread-safe, strerror is not.
  return {CodeOf(err), fmt::format("{}: {}", context, std::generic_category().message(err))};
}

}  // namespace headroom
