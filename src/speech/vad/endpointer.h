// Detects the begin, pauses and end of live speech: a pure fold over the speech
// probability of each 32 ms frame. Time is counted in frames, so a test needs no clock.
//
//   kBegin   `min_speech` of speech was there (hysteresis as in chunker.h). The utterance began
//            `pre_roll` before its first frame of speech, or where the one before ended.
//   kPause   there was no speech for `pause`. Decode speculatively: if none follows, the utterance
//            is exactly the audio [begin, end) of this change.
//   kResume  speech again; the speculative result is void.
//   kEnd     no speech for `silence`, or one of the exceptions below.
//
// An utterance is not longer than `longest`. One that would be is cut as the Chunker cuts, in its
// longest pause of the later half, and only without any pause inside speech (`forced`), at the
// quietest frame; then the kBegin of the next utterance immediately follows kEnd. Utterances never
// overlap.
//
// Guarantees: changes come in the order kBegin (kPause kResume)* [kPause] kEnd; each frame of
// speech lies in exactly one utterance, but for stretches with less than `min_speech` in all, which
// begin none; the first utterance after silence holds at least `min_speech` of speech; positions
// are multiples of a frame, begin < end, and utterances are in order. Between kPause and a kEnd
// without kResume, begin and end do not change.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "speech/vad/chunker.h"

namespace headroom::speech {

struct EndpointOptions {
  float enter = 0.5F;
  float leave = 0.35F;
  Milliseconds min_speech{128};
  Milliseconds pre_roll{500};
  // Also what is kept after the last speech: the audio decoded in the pause is that of the end.
  Milliseconds pause{320};
  Milliseconds silence{800};
  Milliseconds longest{28'000};
  // An utterance after a forced cut begins that much before the cut; the texts are to be stitched.
  Milliseconds overlap{0};
  // An open utterance ends when no samples came for so long: the microphone was lost.
  Milliseconds inactivity{60'000};
  friend bool operator==(const EndpointOptions&, const EndpointOptions&) = default;
};
/// kInvalid, naming the option, when they make no sense together: pause < silence <= longest / 4,
/// 1 s <= longest <= 300 s, pre_roll <= longest / 4, 0 < leave <= enter <= 1, none negative.
Result<> Check(const EndpointOptions& options);

enum class SpeechChange { kBegin, kPause, kResume, kEnd };

/// Positions are samples from the start of the stream.
struct Change {
  SpeechChange kind = SpeechChange::kBegin;
  std::int64_t begin = 0;  // of the utterance
  std::int64_t end = 0;    // kPause, kEnd: of the utterance; else the first sample not heard yet
  bool forced = false;     // kEnd: cut inside speech
  Evidence evidence{};     // kPause, kEnd
};

class Endpointer {
 public:
  /// CHECKs the options.
  explicit Endpointer(const EndpointOptions& options);

  /// The next frame: its speech probability and its mean square (which decides only where a forced
  /// cut goes). The changes it brought, at most three, valid until the next call.
  std::span<const Change> Push(float probability, float energy = 0);
  /// Adds to the time without samples; any Push sets it to zero.
  std::span<const Change> Idle(Milliseconds time);
  /// The stream ended, as with a key released: ends what is open immediately. The next Push is
  /// frame 0.
  std::span<const Change> Finish();
  /// Drops what is open; no kEnd will follow. The stream goes on.
  void Cancel();

  /// Between kBegin and kEnd.
  bool open() const { return begun_; }
  /// Samples before this one will be in no utterance to come, nor in the open one.
  std::int64_t first_needed() const { return chunker_.first_needed(); }
  /// No more than this is ever needed at once.
  std::int64_t most_samples() const { return chunker_.most_samples(); }

 private:
  void Add(SpeechChange kind, const ChunkSpan& span);
  void Begin();
  void End(const ChunkSpan& span);

  const Milliseconds inactivity_;
  const std::int64_t pause_;  // frames
  Chunker chunker_;
  bool begun_ = false;
  bool paused_ = false;
  std::int64_t heard_ = 0;  // frames pushed
  Milliseconds idle_{0};
  std::vector<Change> changes_;
};

}  // namespace headroom::speech
