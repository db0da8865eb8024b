// The decoding itself: container to packets to frames to 16 kHz mono, with FFmpeg's libraries.
// Runs inside the sandbox, on one thread, in memory that does not grow with the length.
#pragma once

#include <functional>
#include <span>

#include "audio/decode/decode_input.h"
#include "audio/format/decode_status.h"
#include "base/error.h"

namespace headroom::audio {

/// Where the results go; both may block, that is the back-pressure.
struct DecodeSinks {
  std::function<Result<>(std::span<const float>)> pcm;
  std::function<Result<>(const DecodeStatus&)> status;
};

/// Decodes the best audio stream of `input`. An Error does not carry the input's name.
Result<DecodeEnd> DecodeMedia(DecodeInput& input, const DecodeSinks& sinks);

}  // namespace headroom::audio
