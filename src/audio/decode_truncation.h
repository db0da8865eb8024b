// Whether a file ends before its own structure says it does, from the bytes of its container.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "audio/decode_input.h"

namespace headroom::audio {

/// nullopt when nothing shows a cut; else why, e.g. "12.3 kB are missing at its end". `container`
/// is FFmpeg's name. Knows ISO base media (top-level boxes), Matroska (size of the segment) and Ogg
/// (the last page); the first two only for inputs that can seek.
std::optional<std::string> FindCut(std::string_view container, DecodeInput& input);

}  // namespace headroom::audio
