// Sources of live audio: a sound server, a sound card, files played in real time, standard input.
// All give the format of audio/format/format.h, with finite samples.
//
// Open, Close, ended and report may be called from any thread; Read from one thread at a time,
// which may be another one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audio/format/format.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::audio {

enum class SourceKind {
  kAuto,   // a sound server when there is one, else ALSA
  kPulse,  // PulseAudio's protocol, which PipeWire supports too
  kAlsa,
  kFile,
  kStdin,
  kNone,  // never gives a sample
};
inline constexpr std::array kSourceKinds = {SourceKind::kAuto,  SourceKind::kPulse,
                                            SourceKind::kAlsa,  SourceKind::kFile,
                                            SourceKind::kStdin, SourceKind::kNone};
std::string_view Name(SourceKind kind);  // "auto", "pulse", …
Result<SourceKind> ParseSourceKind(std::string_view text);

/// The format of standard input. Media is any format that headroom-decode reads, such as WAV; it
/// may be delayed briefly until its header is found. The raw formats are 16 kHz mono.
enum class StdinFormat { kMedia, kS16, kF32 };

struct SourceOptions {
  SourceKind kind = SourceKind::kAuto;
  /// pulse, alsa: devices by name or description, the best first; the first that is there is used.
  /// "default" is the server's default source and follows it when it is switched. Empty: "default".
  std::vector<std::string> devices = {};
  std::vector<std::string> files = {};  // kFile: any media files, one after the other
  Milliseconds pause{1000};             // kFile: silence between two files
  /// kFile: in real time, else as fast as Read is called.
  bool real_time = true;
  StdinFormat stdin_format = StdinFormat::kMedia;
  /// The longest time without Read before samples of a microphone are dropped.
  Milliseconds buffer{30'000};
  /// All-zero samples for longer than this are worth a word in SourceReport::problem.
  Milliseconds silence{10'000};
};

enum class SourceState {
  kClosed,
  kOpening,     // no sample has come yet; do not ask the user to speak
  kRunning,     // samples are coming
  kLost,        // none can come until something changes: unplugged, suspended, server gone
  kRecovering,  // being opened again
};
std::string_view Name(SourceState state);

struct SourceReport {
  SourceState state = SourceState::kClosed;
  std::string device;   // for people; "" before it is known
  std::string problem;  // one line, or ""; a running source can have one: "muted"
  // Since Open:
  std::int64_t samples = 0;  // given by Read
  std::int64_t dropped = 0;  // lost because the buffer was full
  /// Samples that were NaN, infinite, absurdly loud or missing, and are now finite or zero.
  std::int64_t repaired = 0;
  /// How often the stream broke. The samples before and after a break are not neighbours in time.
  std::int64_t interruptions = 0;
};

class Source {
 public:
  virtual ~Source() = default;  // closes

  /// Starts from the beginning (files from their first sample). Returns immediately; report() shows
  /// whether samples come. Discards unread samples of an earlier Open. Does nothing on an open
  /// source.
  virtual Result<> Open() = 0;

  /// Closes the microphone before it returns. Captured samples can still be read. About 50 ms that
  /// are still in the sound server are lost: to get the last syllable, close a little later.
  virtual void Close() = 0;

  /// At least one and at most into.size() samples, finite (finite.h), as soon as there are any. 0
  /// when none came for `wait`, and immediately when closed or ended. Permanent errors only (a file
  /// that cannot be read), kept until the next Open. A microphone's problems are in report().
  virtual Result<std::size_t> Read(std::span<float> into, Milliseconds wait) = 0;

  /// Whether files or standard input were read to the end, or Read has returned its error.
  virtual bool ended() const = 0;

  virtual SourceReport report() const = 0;
};

/// kInvalid for invalid options. Opens nothing.
Result<std::unique_ptr<Source>> MakeSource(const SourceOptions& options);

}  // namespace headroom::audio
