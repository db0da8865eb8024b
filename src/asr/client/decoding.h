// One utterance on its way through a worker, in pieces that are not longer than was admitted. Pure.
//
// Cut where it is quiet; where there is no pause, the next piece begins a little earlier and the
// texts are stitched, so that no word is lost or there twice. A piece whose text the model left
// out (truncated) is asked for again in two halves.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "asr/client/protocol.h"
#include "audio/format/finite_audio.h"
#include "speech/text/stitch.h"

namespace headroom::asr {

/// The samples [begin, begin + count) of `audio`.
struct Clip {
  audio::FiniteAudio audio;
  std::size_t begin = 0, count = 0;
  std::span<const float> samples() const { return audio.samples().subspan(begin, count); }
};

/// The sample in the middle half of `samples` around which 64 ms are quietest: where to cut speech
/// that has no better place.
std::size_t QuietestCut(std::span<const float> samples);

class Decoding {
 public:
  /// In pieces of at most `longest`, which is 4 s or more.
  Decoding(audio::FiniteAudio audio, Milliseconds longest);

  /// What is to be run now; nullopt: everything has been.
  std::optional<Clip> Next() const;
  /// The result of Next().
  void Add(RunResult result);
  /// When nothing is left: the whole, timed from the first sample.
  RunResult Finish();
  /// Of what has not been run.
  Milliseconds left() const;

 private:
  struct Piece {
    std::size_t begin = 0, end = 0;  // samples
    bool overlaps = false;           // begins inside the piece before
    bool forced = false;             // ends inside speech; the next one overlaps
  };
  /// Every sample is in a piece, none longer than `longest` (at least 4 s).
  static std::deque<Piece> Cut(std::span<const float> samples, Milliseconds longest);

  audio::FiniteAudio audio_;
  std::deque<Piece> pieces_;
  speech::Stitcher stitcher_;
  RunResult whole_;
};

}  // namespace headroom::asr
