#include "audio/source.h"

#include <algorithm>
#include <array>

#include "audio/capture_loops.h"
#include "base/text.h"

namespace headroom::audio {
namespace {

constexpr std::array<std::string_view, 6> kKinds = {"auto", "pulse", "alsa",
                                                    "file", "stdin", "none"};
constexpr std::array<std::string_view, 5> kStates = {"closed", "opening", "running", "lost",
                                                     "recovering"};

Result<> CaptureNothing(Capture& capture) {
  capture.Say(SourceState::kLost, "", "no sound source is set up");
  while (capture.SleepFor(std::chrono::hours(24))) {
  }
  return {};
}

}  // namespace

std::string_view Name(SourceKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

Result<SourceKind> ParseSourceKind(std::string_view text) {
  const auto* const found = std::ranges::find(kKinds, text);
  if (found != kKinds.end()) return static_cast<SourceKind>(found - kKinds.begin());
  return Fail(Errc::kInvalid, "\"{}\" is no kind of sound source; there are {}", Printable(text),
              fmt::join(kKinds, ", "));
}

std::string_view Name(SourceState state) {
  return kStates[static_cast<std::size_t>(state)];
}

Result<std::unique_ptr<Source>> MakeSource(const SourceOptions& options) {
  if (options.buffer < Milliseconds(100) || options.buffer > std::chrono::hours(1))
    return Fail(Errc::kInvalid, "an audio buffer of {} ms makes no sense; 100 ms to 1 h does",
                options.buffer.count());
  const auto buffer = static_cast<std::size_t>(SamplesIn(options.buffer));
  const auto make = [&](auto capture_loop) {
    return MakeThreadSource(
        [options, capture_loop](Capture& capture) { return capture_loop(options, capture); },
        buffer);
  };
  switch (options.kind) {
    case SourceKind::kFile:
      if (options.files.empty()) return Fail(Errc::kInvalid, "no file to play");
      return make(CaptureFiles);
    case SourceKind::kStdin:
      return make(CaptureStdin);
    case SourceKind::kNone:
      return MakeThreadSource(CaptureNothing, 1);
    case SourceKind::kAuto:
    case SourceKind::kPulse:
    case SourceKind::kAlsa:
      break;
  }
  return Fail(Errc::kUnsupported, "{} sources are not built in yet", Name(options.kind));
}

}  // namespace headroom::audio
