#include "app/cli/exit_code.h"

namespace headroom::cli {

ExitCode ExitCodeFor(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return kUsage;
    case Errc::kNotFound:
      return kMissing;
    case Errc::kCorrupt:
    case Errc::kChecksum:
    case Errc::kUnsupported:
    case Errc::kExists:
      return kBadInput;
    case Errc::kNetwork:
      return kNetwork;
    case Errc::kNoSpace:
    case Errc::kNoMemory:
    case Errc::kPermission:
    case Errc::kBusy:
      return kResources;
    case Errc::kWorkerLost:
    case Errc::kTimeout:
    case Errc::kProtocol:
      return kEngine;
    case Errc::kCancelled:
      return kInterrupted;
    case Errc::kIo:
    case Errc::kInternal:
      return kFailed;
  }
  return kFailed;
}

}  // namespace headroom::cli
