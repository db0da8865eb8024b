// Cuts long audio into the chunks to recognise; memory stays flat for hours of audio.
//
//   while (there is audio) {
//     TRY(audio.Feed(samples));
//     while (auto chunk = audio.Next()) …
//   }
//   TRY(audio.Finish());
//   while (auto chunk = audio.Next()) …
//
// Belongs to one thread. Holds at most one chunk, a pause and what a single Feed brought.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "speech/vad/chunker.h"
#include "speech/vad/vad.h"

namespace headroom::speech {

/// 16 kHz mono, finite.
struct Chunk {
  std::int64_t start_sample = 0;  // in the recording
  std::vector<float> samples;
  std::int64_t overlap = 0;  // this many samples at the start are in the chunk before, too
  bool forced = false;       // ends inside speech; the next chunk overlaps
  Evidence evidence;
};

class ChunkedAudio {
 public:
  /// `detector` stays the caller's, must outlive this and must not be used elsewhere meanwhile.
  ChunkedAudio(SpeechProbability& detector, const ChunkerOptions& options);

  /// More of the recording, any number of samples, anything in them: they are made finite.
  /// All chunks of the last Feed must have been taken (CHECKed): that is what bounds memory.
  Result<> Feed(std::span<const float> samples);
  /// The end of the recording. Nothing may be fed after it.
  Result<> Finish();
  /// The next finished chunk; nullopt: none yet.
  std::optional<Chunk> Next();

  std::int64_t samples_fed() const { return fed_; }
  /// Samples that were not finite or absurdly loud.
  std::int64_t samples_repaired() const { return repaired_; }
  /// Samples held right now, finished chunks not counted.
  std::int64_t samples_held() const { return fed_ - held_from_; }

 private:
  Result<> FeedBlock(std::span<const float> samples);
  void Push(std::span<const float> probabilities);
  void Keep(const ChunkSpan& span);
  float EnergyOf(std::int64_t frame) const;
  std::span<const float> Held(std::int64_t begin, std::int64_t end) const;

  SpeechProbability& detector_;
  Chunker chunker_;
  std::vector<float> held_;  // samples [held_from_, fed_)
  std::int64_t held_from_ = 0;
  std::int64_t fed_ = 0;
  std::int64_t frames_ = 0;  // given to the chunker
  std::int64_t repaired_ = 0;
  bool finished_ = false;
  std::deque<Chunk> ready_;
};

}  // namespace headroom::speech
