// What transcribe.cpp's status means, for all who call it.
#pragma once

#include <transcribe.h>

#include "base/error.h"

namespace headroom::speech {

/// kInternal for what is no fault of the caller, the file or the machine.
constexpr Errc CodeOf(transcribe_status status) {
  switch (status) {
    case TRANSCRIBE_ERR_FILE_NOT_FOUND:
      return Errc::kNotFound;
    case TRANSCRIBE_ERR_GGUF:
      return Errc::kCorrupt;
    case TRANSCRIBE_ERR_UNSUPPORTED_ARCH:
    case TRANSCRIBE_ERR_UNSUPPORTED_VARIANT:
    case TRANSCRIBE_ERR_UNSUPPORTED_ROLE:
    case TRANSCRIBE_ERR_UNSUPPORTED_LANGUAGE:
    case TRANSCRIBE_ERR_UNSUPPORTED_TASK:
    case TRANSCRIBE_ERR_UNSUPPORTED_TIMESTAMPS:
    case TRANSCRIBE_ERR_NOT_IMPLEMENTED:
      return Errc::kUnsupported;
    case TRANSCRIBE_ERR_OOM:
      return Errc::kNoMemory;
    case TRANSCRIBE_ERR_ABORTED:
      return Errc::kCancelled;
    case TRANSCRIBE_ERR_INVALID_ARG:
    case TRANSCRIBE_ERR_INPUT_TOO_LONG:
      return Errc::kInvalid;
    default:
      return Errc::kInternal;
  }
}

}  // namespace headroom::speech
