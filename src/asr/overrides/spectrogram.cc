#include "asr/overrides/spectrogram.h"

#include <src/transcribe-mel.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "asr/overrides/count_only.h"
#include "asr/overrides/engine_type.h"

// transcribe::MelFrontend::compute, as the Itanium C++ ABI names it; the linker
// sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
transcribe_status __real__ZNK10transcribe11MelFrontend7computeEPKfmRSt6vectorIfSaIfEERiS7_ii(
    const transcribe::MelFrontend* self, const float* samples, std::size_t n,
    std::vector<float>& mel, int& mels, int& frames, int threads, int out_frames);
transcribe_status __wrap__ZNK10transcribe11MelFrontend7computeEPKfmRSt6vectorIfSaIfEERiS7_ii(
    const transcribe::MelFrontend* self, const float* samples, std::size_t n,
    std::vector<float>& mel, int& mels, int& frames, int threads, int out_frames);
}
static_assert(
    std::is_same_v<
        decltype(__wrap__ZNK10transcribe11MelFrontend7computeEPKfmRSt6vectorIfSaIfEERiS7_ii),
        headroom::worker::AsFunction<decltype(&transcribe::MelFrontend::compute)>>,
    ENGINE_CHANGED);

namespace headroom::worker {
namespace {

thread_local std::size_t padded_window = 0;

// Enough for every way of padding, and short.
constexpr std::size_t kTried = 3'200;
// Of Whisper: samples from frame to frame, and of the Fourier transform, half before and half
// behind.
constexpr std::size_t kHop = 160, kTransform = 400;

transcribe_status Compute(const transcribe::MelFrontend* self, const float* samples, std::size_t n,
                          std::vector<float>& mel, int& mels, int& frames, int threads,
                          int out_frames) {
  return __real__ZNK10transcribe11MelFrontend7computeEPKfmRSt6vectorIfSaIfEERiS7_ii(
      self, samples, n, mel, mels, frames, threads, out_frames);
}

// How many frames come out of the engine's own count of them depends on the model's way of padding
// and normalising, and is the same difference for every length: so it is tried with a short one.
transcribe_status Shape(const transcribe::MelFrontend* self, std::size_t n, std::vector<float>& mel,
                        int& mels, int& frames, int out_frames) {
  static const std::vector<float> silence(kTried);
  const transcribe_status status = Compute(self, silence.data(), kTried, mel, mels, frames, 1, 0);
  if (status != TRANSCRIBE_OK) return status;
  const int left_out = self->n_frames_for(kTried) - frames;
  frames = self->n_frames_for(n) - left_out;
  if (out_frames > 0 && left_out > 0) frames = out_frames;
  mel.assign(static_cast<std::size_t>(mels) * static_cast<std::size_t>(frames), 0.0F);
  return TRANSCRIBE_OK;
}

// Where to cut off zeros so that the last frame is of nothing else; all of it where there is none.
std::size_t WithoutTail(std::span<const float> samples) {
  const std::size_t n = samples.size();
  std::size_t end = n;
  while (end > 0 && samples[end - 1] == 0.0F) --end;
  const std::size_t kept = (end + kTransform + 3 * kHop) / kHop * kHop;
  return n % kHop == 0 ? std::min(kept, n) : n;
}

// The last frame of each row is repeated.
void Lengthen(Spectrogram& spectrogram, std::size_t frames) {
  std::vector<float>& numbers = spectrogram.numbers;
  const auto have = static_cast<std::size_t>(spectrogram.frames);
  numbers.resize(static_cast<std::size_t>(spectrogram.bands) * frames);
  for (auto row = static_cast<std::size_t>(spectrogram.bands); row-- > 0;) {
    const float* from = numbers.data() + row * have;
    float* into = numbers.data() + row * frames;
    std::copy_backward(from, from + have, into + have);
    std::fill(into + have, into + frames, into[have - 1]);
  }
  spectrogram.frames = static_cast<int>(frames);
}

}  // namespace

transcribe_status MakeOfPadded(std::span<const float> samples, const SpectrogramMaker& make,
                               Spectrogram& into) {
  const std::size_t kept = WithoutTail(samples);
  const transcribe_status status = make(samples.first(kept), into);
  if (status != TRANSCRIBE_OK || kept == samples.size()) return status;
  // Another engine than the one this was written for.
  if (static_cast<std::size_t>(into.frames) != kept / kHop) return make(samples, into);
  Lengthen(into, samples.size() / kHop);
  return TRANSCRIBE_OK;
}

void SetPaddedWindow(std::int64_t samples) {
  padded_window = static_cast<std::size_t>(samples);
}

}  // namespace headroom::worker

extern "C" {
transcribe_status __wrap__ZNK10transcribe11MelFrontend7computeEPKfmRSt6vectorIfSaIfEERiS7_ii(
    const transcribe::MelFrontend* self, const float* samples, std::size_t n,
    std::vector<float>& mel, int& mels, int& frames, int threads, int out_frames) {
  namespace ours = headroom::worker;
  // The engine computes short input fast, and refuses what is too short.
  if (n > ours::kTried) {
    if (ours::CountOnly::Now()) return ours::Shape(self, n, mel, mels, frames, out_frames);
    if (n == ours::padded_window && out_frames == 0) {
      ours::Spectrogram whole;
      const transcribe_status status = ours::MakeOfPadded(
          {samples, n},
          [&](std::span<const float> some, ours::Spectrogram& into) {
            return ours::Compute(self, some.data(), some.size(), into.numbers, into.bands,
                                 into.frames, threads, 0);
          },
          whole);
      mel = std::move(whole.numbers);
      mels = whole.bands, frames = whole.frames;
      return status;
    }
  }
  return ours::Compute(self, samples, n, mel, mels, frames, threads, out_frames);
}
}  // NOLINTEND(bugprone-reserved-identifier)
