// Live samples in, the utterances in them out: the detector, the endpointer and the ring of the
// last seconds as one. What the capture thread drives:
//
//   TRY_ASSIGN(const auto changes, listener.Feed(samples));
//   for (const Change& change : changes) …  listener.Audio(change.begin, change.end)
//
// Positions count samples from the first Feed, or the first after a Finish. Belongs to one thread;
// allocates only for what Audio returns. Memory: the ring, 30 s (1.9 MB) with the usual options.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audio/format/finite.h"
#include "base/error.h"
#include "speech/vad/endpointer.h"
#include "speech/vad/ring.h"
#include "speech/vad/vad.h"

namespace headroom::speech {

class Listener {
 public:
  /// The most that one Feed takes: a second.
  static constexpr std::size_t kMostAtOnce = 16'000;

  /// `detector` stays the caller's, must outlive this object and must not be used elsewhere
  /// meanwhile. CHECKs the options.
  Listener(SpeechProbability& detector, const EndpointOptions& options);

  /// At most kMostAtOnce samples (CHECKed). The changes they brought, valid until the next call. An
  /// error is the detector's; after one, Finish().
  Result<std::span<const Change>> Feed(audio::FiniteSpan samples);
  /// Adds to the time without samples since the last Feed.
  std::span<const Change> Idle(Milliseconds time);
  /// No more samples come (a key released, the microphone closed): ends what is open immediately.
  /// The audio stays until the next Feed, which begins another stream.
  std::span<const Change> Finish();
  /// Drops what is open; no kEnd will follow.
  void Cancel() { endpointer_.Cancel(); }

  /// Exactly these samples, finite. Always there: those of the changes that the last call returned,
  /// and from the begin of the open utterance to heard(). kNotFound when something else is asked
  /// for and gone.
  Result<std::vector<float>> Audio(std::int64_t begin, std::int64_t end) const {
    return ring_.Read(begin, end);
  }

  /// Between kBegin and kEnd.
  bool open() const { return endpointer_.open(); }
  /// Samples fed to this stream.
  std::int64_t heard() const { return ring_.end(); }

 private:
  void Measure(std::span<const float> samples);
  void Push(std::span<const float> probabilities);

  SpeechProbability& detector_;
  Endpointer endpointer_;
  SampleRing ring_;
  std::vector<float> energies_;  // of whole frames not yet pushed
  float energy_ = 0;             // sum of squares of the frame being filled
  std::vector<Change> changes_;  // of the last call
  bool finished_ = false;
};

}  // namespace headroom::speech
