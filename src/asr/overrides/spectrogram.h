// The engine's spectrograms, of which some is left out; at link time (--wrap) ours takes the
// engine's place.
//
// Whisper's engine pads what was said with zeros to the window, and looks at all of it, which for a
// short utterance is most of the work. Frames of nothing but zeros are all alike: only the first
// few are computed, with the same result to the bit. While a card only counts (count_only.h) none
// are.
#pragma once

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
/// The engine's: 0, or its status when it fails.
using SpectrogramMaker = std::function<int(std::span<const float> samples, Spectrogram& into)>;

/// What `make` makes of `samples`, without showing it all of the zeros at their end. For Whisper: a
/// frame every 160 samples, of 400 around it, mirrored at the ends; the frame at the very end left
/// out; and no number depends on other frames, but by the largest of all.
int MakeOfPadded(std::span<const float> samples, const SpectrogramMaker& make, Spectrogram& into);

/// Spectrograms of this many samples, made by this thread, are of a padded window of Whisper; 0:
/// none are.
void SetPaddedWindow(std::int64_t samples);

}  // namespace headroom::worker
