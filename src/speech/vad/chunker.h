// Where to cut a long recording into the chunks a recogniser gets: a pure fold over the speech
// probability and the energy of each 32 ms frame.
//
// Speech by hysteresis, as in Silero's reference: it begins with a frame at or above `enter` and
// ends before the first frame below `leave`. A *pause* is at least `min_pause` without speech; a
// silence longer than `max_pause` ends a *stretch*. Stretches with less than `min_speech` of speech
// in all are dropped, and what lies between stretches (but for the padding) is never sent.
//
// A stretch is sent whole when it fits into `max_chunk`. Otherwise it is cut in the longest pause
// of the later half of the window, or else in the longest pause there is. Without any pause the cut
// is *forced*: at the frame of the later half with the lowest probability, then the lowest energy,
// and the next chunk repeats `overlap` of audio so that no word is lost; their texts are to be
// stitched (stitch.h).
//
// Guarantees: chunks are in order; none is longer than `max_chunk`; each frame of speech in a
// stretch that is kept lies in exactly one chunk, or in two where they overlap by force.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace headroom::speech {

struct ChunkerOptions {
  float enter = 0.5F;
  float leave = 0.35F;
  Milliseconds min_speech{128};  // a spoken "Bye." has 290, noise that gets through 30
  Milliseconds min_pause{96};    // three frames; shorter dips lie inside words
  Milliseconds max_pause{2000};
  // Kept before and after speech; neighbours share a shorter gap. With 200 ms whisper-tiny.en
  // misheard words at the ends of sentences (bench/accuracy).
  Milliseconds pad_before{400};
  Milliseconds pad_after{400};
  Milliseconds max_chunk{28000};
  Milliseconds overlap{2000};  // of a forced cut

  /// For a model that takes at most `limit` at once (from a second up): what does not suit so short
  /// a chunk is shortened with it.
  static ChunkerOptions For(Milliseconds limit);
};

/// What speaks for speech in a chunk.
struct Evidence {
  Milliseconds speech{0};    // frames of speech
  float probability = 0.0F;  // their mean; 0 without any
};

/// [start, end) in samples from the start of the recording.
struct ChunkSpan {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t overlap = 0;  // this many samples at the start are in the chunk before, too
  bool forced = false;       // ends inside speech; the next chunk overlaps
  Evidence evidence{};
};

class Chunker {
 public:
  /// CHECKs that the options make sense: the padding after speech fits into max_pause, the overlap
  /// into half a chunk, a pause with both paddings into a chunk.
  explicit Chunker(const ChunkerOptions& options);

  /// The next frame: its speech probability and its mean square. At most one chunk ends by it.
  std::optional<ChunkSpan> Push(float probability, float energy);
  /// The recording ended: what was still open. The chunker can be used again from frame 0.
  std::optional<ChunkSpan> Finish();
  /// Ends what is open as Finish() does, but the recording goes on.
  std::optional<ChunkSpan> Flush();

  /// A stretch is open that will not be dropped. Where its next chunk begins, in samples, and what
  /// Flush() would return.
  bool kept() const { return open_ && (sent_ || speech_frames_ >= min_speech_); }
  std::int64_t begin() const;
  ChunkSpan span() const;
  /// Frames since the last one of speech; meaningful while a stretch is open.
  std::int64_t silent_frames() const { return next_ - 1 - last_speech_; }

  /// Samples before this one will be in no chunk to come.
  std::int64_t first_needed() const;
  /// No chunk to come and no time between two pushes needs more audio than this.
  std::int64_t most_samples() const;

 private:
  struct Frame {
    float probability;
    float energy;
    bool speech;
  };
  struct Pause {
    std::int64_t begin, end;  // frames without speech
  };

  const Frame& At(std::int64_t frame) const;
  ChunkSpan Span(std::int64_t begin, std::int64_t end, bool forced) const;
  ChunkSpan Cut();
  std::optional<Pause> LongestPause() const;
  std::int64_t Quietest() const;
  void ForgetBefore(std::int64_t frame);

  const ChunkerOptions options_;
  // The same in frames.
  const std::int64_t min_speech_, min_pause_, max_pause_, pad_before_, pad_after_, max_chunk_,
      overlap_;

  std::deque<Frame> frames_;        // [first_, next_)
  std::int64_t first_ = 0;          // the oldest frame kept
  std::int64_t next_ = 0;           // frames pushed so far
  std::int64_t floor_ = 0;          // frames before it were sent; padding stops here
  bool speech_ = false;             // of the last frame
  bool open_ = false;               // a stretch is open; the rest is about it
  bool sent_ = false;               // some of it was
  std::int64_t start_ = 0;          // where its next chunk begins
  std::int64_t shared_ = 0;         // frames from start_ on that were sent already
  std::int64_t last_speech_ = 0;    // its last frame of speech
  std::int64_t speech_frames_ = 0;  // in the whole stretch
};

}  // namespace headroom::speech
