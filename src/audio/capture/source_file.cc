#include <algorithm>
#include <vector>

#include "audio/capture/capture_loops.h"
#include "audio/decode/media_reader.h"

namespace headroom::audio {
namespace {

constexpr std::size_t kBlock = 320;  // 20 ms, as from a microphone

/// Delays samples to real time.
class Pace {
 public:
  Pace(bool real_time, Capture& capture) : real_time_(real_time), capture_(capture) {}

  /// Waits for the duration of `count` samples; false when stop() was raised.
  bool Await(std::size_t count) {
    samples_ += static_cast<std::int64_t>(count);
    if (!real_time_) return true;
    const MonoTime due = start_ + DurationOf(samples_);
    return capture_.SleepFor(std::chrono::ceil<Milliseconds>(due - SystemClock().Now()));
  }

 private:
  bool real_time_;
  Capture& capture_;
  MonoTime start_ = SystemClock().Now();
  std::int64_t samples_ = 0;
};

Result<> Play(MediaReader& reader, const std::string& name, Pace& pace, Capture& capture) {
  std::vector<float> block(kBlock);
  bool running = false;
  while (true) {
    auto count = reader.Read(block);
    if (!count && capture.stop().raised()) return {};
    if (!count) return Within(count, "play");
    if (*count == 0) return {};
    if (!pace.Await(*count) || !capture.PutAll(std::span(block).first(*count))) return {};
    if (!running) capture.Say(SourceState::kRunning, name, "");
    running = true;
  }
}

bool Pause(Milliseconds pause, Pace& pace, Capture& capture) {
  for (auto left = static_cast<std::size_t>(SamplesIn(pause)); left > 0;) {
    const std::size_t some = std::min(left, kBlock);
    if (!pace.Await(some) || !capture.PutAllSilence(some)) return false;
    left -= some;
  }
  return true;
}

}  // namespace

Result<> CaptureFiles(const SourceOptions& options, Capture& capture) {
  Pace pace(options.real_time, capture);
  for (std::size_t i = 0; i < options.files.size() && !capture.stop().raised(); ++i) {
    if (i > 0 && !Pause(options.pause, pace, capture)) return {};
    auto reader = MediaReader::Open(options.files[i], &capture.stop());
    if (!reader && capture.stop().raised()) return {};
    if (!reader) return Within(reader, "play");
    TRY(Play(**reader, options.files[i], pace, capture));
  }
  return {};
}

}  // namespace headroom::audio
