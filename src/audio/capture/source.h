// Where live sound comes from: a sound server, a sound card, files played as if they were spoken,
// standard input. All give the one format of audio/format.h, every sample finite.
//
// Open, Close, ended and report may be called from any thread; Read from one thread at a time,
// which may be another one.
#pragma once

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
  kPulse,  // PulseAudio's protocol, which PipeWire speaks too
  kAlsa,
  kFile,
  kStdin,
  kNone,  // never gives a sample
};
std::string_view Name(SourceKind kind);  // "auto", "pulse", …
Result<SourceKind> ParseSourceKind(std::string_view text);

/// What standard input carries. Media is anything that headroom-decode reads, WAV for instance; it
/// may be held back for a moment while its header is looked for. The raw ones are 16 kHz mono.
enum class StdinFormat { kMedia, kS16, kF32 };

struct SourceOptions {
  SourceKind kind = SourceKind::kAuto;
  /// pulse, alsa: devices by name or description, the best first; the first that is there is used.
  /// "default" is the server's default source and follows it when it is switched. Empty: "default".
  std::vector<std::string> devices = {};
  std::vector<std::string> files = {};  // kFile: any media files, one after the other
  Milliseconds pause{1000};             // kFile: silence between two files
  /// kFile: as fast as somebody would speak it, else as fast as Read is called.
  bool real_time = true;
  StdinFormat stdin_format = StdinFormat::kMedia;
  /// How long Read may stay away before samples of a microphone are dropped.
  Milliseconds buffer{30'000};
  /// All-zero samples for longer than this are worth a word in SourceReport::trouble.
  Milliseconds silence{10'000};
};

enum class SourceState {
  kClosed,
  kOpening,     // no sample has come yet: do not tell anybody to speak
  kRunning,     // samples are coming
  kLost,        // none can come until something changes: unplugged, suspended, server gone
  kRecovering,  // being opened again
};
std::string_view Name(SourceState state);

struct SourceReport {
  SourceState state = SourceState::kClosed;
  std::string device;   // in words a person knows; "" before it is known
  std::string trouble;  // one line, "" when all is well; a running source can have some: "muted"
  // Since Open:
  std::int64_t samples = 0;  // given by Read
  std::int64_t dropped = 0;  // lost because Read stayed away for longer than the buffer
  /// Samples that were NaN, infinite or absurdly loud, or missing in between; now finite or zero.
  std::int64_t repaired = 0;
  /// How often the stream broke. The samples before and after a break are not neighbours in time.
  std::int64_t interruptions = 0;
};

class Source {
 public:
  virtual ~Source() = default;  // closes

  /// Starts from anew (files from their first sample). Returns at once; whether samples come is in
  /// report(). What an earlier Open left unread is gone. Does nothing on an open source.
  virtual Result<> Open() = 0;

  /// The microphone is shut when this returns. What was captured before can still be read. What was
  /// still on its way through the sound server, up to about 50 ms, is lost: who needs the last
  /// syllable stays open a little longer.
  virtual void Close() = 0;

  /// At least one and at most into.size() samples, as soon as there are any. 0 when none came for
  /// `wait`, and at once when closed or ended. Errors, kept until the next Open, come only where
  /// waiting cannot help: a file that cannot be read. A microphone's troubles are in report().
  virtual Result<std::size_t> Read(std::span<float> into, Milliseconds wait) = 0;

  /// Files or standard input are over and all of it was read; or Read has given its error.
  virtual bool ended() const = 0;

  virtual SourceReport report() const = 0;
};

/// kInvalid when the options make no sense. Opens nothing.
Result<std::unique_ptr<Source>> MakeSource(const SourceOptions& options);

}  // namespace headroom::audio
