// Computes less of the engine's spectrograms, in its place at link time (--wrap, see
// overrides.tsv).
//
// For Whisper the engine pads an utterance with zeros to the window and computes all of it, which
// is most of the work for a short utterance. Frames of nothing but zeros are all alike: only the
// first few are computed, and the result is identical to the bit. While a simulated card only
// counts (count_only.h), none are computed.
#pragma once

#include <transcribe.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace headroom::worker {

/// Rows of frames, one row for each mel band.
struct Spectrogram {
  std::vector<float> numbers;
  int bands = 0, frames = 0;
};
using SpectrogramMaker =
    std::function<transcribe_status(std::span<const float> samples, Spectrogram& into)>;

/// What `make` makes of `samples`, without showing it all of the zeros at their end. For Whisper: a
/// frame every 160 samples, of 400 around it, mirrored at the ends; the frame at the very end left
/// out; and no number depends on other frames, but by the largest of all.
transcribe_status MakeOfPadded(std::span<const float> samples, const SpectrogramMaker& make,
                               Spectrogram& into);

/// Spectrograms of this many samples, made by this thread, are of a padded window of Whisper; 0:
/// none are.
void SetPaddedWindow(std::int64_t samples);

}  // namespace headroom::worker
