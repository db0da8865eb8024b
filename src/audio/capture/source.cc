#include "audio/capture/source.h"

#include <algorithm>
#include <array>

#include "audio/capture/alsa_devices.h"
#include "audio/capture/capture_loops.h"
#include "audio/capture/devices.h"
#include "audio/capture/pulse_devices.h"
#include "base/text.h"

namespace headroom::audio {
namespace {

constexpr std::array<std::string_view, 6> kKinds = {"auto", "pulse", "alsa",
                                                    "file", "stdin", "none"};
constexpr std::array<std::string_view, 5> kStates = {"closed", "opening", "running", "lost",
                                                     "recovering"};

Result<> CaptureNothing(Capture& capture) {
  capture.Say(SourceState::kLost, "", "no audio source is configured");
  while (capture.SleepFor(std::chrono::hours(24))) {
  }
  return {};
}

constexpr Milliseconds kServerAnswer{3000};

bool HasSoundServer() {
  const auto devices = ListPulseDevices(kServerAnswer);
  return devices || devices.error().code != Errc::kNotFound;
}

// Decided at each opening, since the daemon may start before the sound server.
Result<> CaptureAuto(const SourceOptions& options, Capture& capture) {
  if (!HasSoundServer() && HasAlsaMicrophone()) return CaptureAlsa(options, capture);
  return CapturePulse(options, capture);
}

}  // namespace

Result<std::vector<Device>> ListDevices(SourceKind kind, Milliseconds deadline) {
  switch (kind) {
    case SourceKind::kPulse:
      return ListPulseDevices(deadline);
    case SourceKind::kAlsa:
      return ListAlsaDevices();
    case SourceKind::kAuto: {
      auto devices = ListPulseDevices(deadline);
      return devices || !HasAlsaMicrophone() ? std::move(devices) : ListAlsaDevices();
    }
    default:
      return Fail(Errc::kInvalid, "a {} source has no devices", Name(kind));
  }
}

std::string_view Name(SourceKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

Result<SourceKind> ParseSourceKind(std::string_view text) {
  const auto* const found = std::ranges::find(kKinds, text);
  if (found != kKinds.end()) return static_cast<SourceKind>(found - kKinds.begin());
  return Fail(Errc::kInvalid, "\"{}\" is not an audio source; use one of {}", Printable(text),
              fmt::join(kKinds, ", "));
}

std::string_view Name(SourceState state) {
  return kStates[static_cast<std::size_t>(state)];
}

Result<std::unique_ptr<Source>> MakeSource(const SourceOptions& options) {
  if (options.buffer < Milliseconds(100) || options.buffer > std::chrono::hours(1))
    return Fail(Errc::kInvalid, "an audio buffer must be from 100 ms to 1 h, not {} ms",
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
      return make(CaptureAuto);
    case SourceKind::kPulse:
      return make(CapturePulse);
    case SourceKind::kAlsa:
      return make(CaptureAlsa);
  }
  return Fail(Errc::kInternal, "unknown audio source");
}

}  // namespace headroom::audio
