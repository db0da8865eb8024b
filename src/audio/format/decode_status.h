// What headroom-decode sends its parent on descriptor 3: one JSON object per line, see
// docs/audio.md. The parent trusts none of it: the child may have been taken over by its input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::audio {

/// No line is longer; a longer one is a protocol error.
inline constexpr std::size_t kMaxStatusLine = 4096;
/// No more warnings are sent or kept.
inline constexpr std::size_t kMaxWarnings = 32;

/// The container is open and sound will follow. Sent before the first sample.
struct DecodeBegin {
  std::optional<Milliseconds> duration;  // nullopt: the container does not know
};

struct DecodeWarning {
  std::string text;
};

/// Everything that could be decoded has been written.
struct DecodeEnd {
  std::int64_t samples = 0;     // written, of the one format
  std::int64_t non_finite = 0;  // NaN and Inf in the input, replaced by 0
  bool truncated = false;       // the input ends before its own header says
  std::string detail;           // how much of how much, when truncated
};

/// The last alternative is a failure: nothing more will come.
using DecodeStatus = std::variant<DecodeBegin, DecodeWarning, DecodeEnd, Error>;

/// One line with its newline, at most kMaxStatusLine bytes, texts cut and made printable.
std::string FormatDecodeStatus(const DecodeStatus& status);

/// `line` without its newline. kProtocol for anything that FormatDecodeStatus does not write;
/// texts come back printable, on one line and short, whatever was sent.
Result<DecodeStatus> ParseDecodeStatus(std::string_view line);

/// Untrusted text for one line of a message: printable, no newline or tab, at most 300 bytes.
std::string OneLine(std::string_view text);

}  // namespace headroom::audio
