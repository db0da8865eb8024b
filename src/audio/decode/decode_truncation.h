// Whether a file ends before its own structure says it does, from the bytes of its container.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "audio/decode/decode_input.h"

namespace headroom::audio {

/// Where the sound of a WAV file lies, as its header says; nullopt when it does not say it, as
/// headers written before the length was known do not.
struct ByteRange {
  std::int64_t offset = 0, size = 0;
};
std::optional<ByteRange> FindWavData(DecodeInput& input);

/// What the Xing or Info frame that encoders put first says of an MP3 stream; nullopt without one.
struct Mp3Extent {
  std::int64_t end = 0;     // where the sound ends; 0 when it does not say
  std::int64_t frames = 0;  // after the first, which is silent
  int frame_samples = 0;
};
std::optional<Mp3Extent> FindMp3Extent(DecodeInput& input);

/// nullopt when nothing shows a cut; else why, e.g. "12.3 kB are missing at its end". `container`
/// is FFmpeg's name. Knows WAV (its data chunk), MP3 (its Xing frame), ISO base media (top-level
/// boxes), Matroska (size of the segment) and Ogg (the last page). To be asked when the input has
/// been read to its end.
std::optional<std::string> FindCut(std::string_view container, DecodeInput& input);

}  // namespace headroom::audio
