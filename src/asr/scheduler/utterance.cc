#include "asr/scheduler/utterance.h"

namespace headroom::asr {

std::string_view Name(TierChange change) {
  switch (change) {
    case TierChange::kLoading:
      return "loading";
    case TierChange::kReady:
      return "ready";
    case TierChange::kEnded:
      return "ended";
    case TierChange::kFailed:
      return "failed";
    case TierChange::kMemoryBack:
      return "memory_back";
    case TierChange::kMemoryKept:
      return "memory_kept";
  }
  return "";
}

}  // namespace headroom::asr
