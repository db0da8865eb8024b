#include "asr/overrides/encoder_window.h"

#include <ggml.h>
#include <gguf.h>
#include <src/arch/whisper/weights.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "asr/overrides/engine_type.h"
#include "asr/overrides/spectrogram.h"
#include "audio/format/format.h"
#include "base/check.h"

// The second is transcribe::whisper::read_whisper_hparams(const gguf_context*, WhisperHParams&), as
// the Itanium C++ ABI names it; the linker sets the prefixes.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
ggml_tensor* __real_ggml_view_2d(ggml_context* context, ggml_tensor* of, std::int64_t columns,
                                 std::int64_t rows, std::size_t row_bytes, std::size_t offset);
ggml_tensor* __wrap_ggml_view_2d(ggml_context* context, ggml_tensor* of, std::int64_t columns,
                                 std::int64_t rows, std::size_t row_bytes, std::size_t offset);
transcribe_status
__real__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
    const gguf_context* gguf, transcribe::whisper::WhisperHParams& numbers);
transcribe_status
__wrap__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
    const gguf_context* gguf, transcribe::whisper::WhisperHParams& numbers);
}
static_assert(std::is_same_v<decltype(__wrap_ggml_view_2d), decltype(ggml_view_2d)>,
              ENGINE_CHANGED);
static_assert(
    std::is_same_v<
        decltype(__wrap__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE),
        decltype(transcribe::whisper::read_whisper_hparams)>,
    ENGINE_CHANGED);

namespace headroom::worker {
namespace {

using transcribe::whisper::WhisperHParams;

constexpr std::int32_t kHop = 160;  // samples of a frame
constexpr Milliseconds kStep{20};
// Measured: docs/kernels.md.
constexpr Milliseconds kSilence{4000};
constexpr Milliseconds kShortest{12'000};

thread_local WindowSearch* searching = nullptr;

constexpr const char* kPositions = "enc.pos_emb.weight";  // one row for 20 ms
// Positions behind the speech that follow it as they do in a whole window.
constexpr Milliseconds kFollowing{500};
thread_local std::int64_t first_positions = 0;  // the rest are the last ones; 0: all are the first

transcribe_status ReadNumbers(const gguf_context* gguf, WhisperHParams& numbers) {
  return __real__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
      gguf, numbers);
}

}  // namespace

Milliseconds WindowFor(Milliseconds audio, Milliseconds full) {
  const Milliseconds wanted = std::max(audio + kSilence, kShortest);
  return std::min((wanted + kStep - Milliseconds(1)) / kStep * kStep, full);
}

void EncoderWindow::Set(Milliseconds window, Milliseconds audio) {
  first_positions = 0;
  SetPaddedWindow(0);
  if (!samples_) return;
  window = std::clamp(window, kStep, full_) / kStep * kStep;
  *samples_ = static_cast<std::int32_t>(audio::SamplesIn(window));
  *frames_ = *samples_ / kHop;
  SetPaddedWindow(*samples_);
  if (window < full_) first_positions = std::min(window, audio + kFollowing) / kStep;
}

WindowSearch::WindowSearch() {
  CHECK(searching == nullptr);
  searching = this;
}

WindowSearch::~WindowSearch() {
  searching = nullptr;
}

transcribe_status WindowSearch::Read(const gguf_context* gguf, WhisperHParams& numbers) {
  const transcribe_status status = ReadNumbers(gguf, numbers);
  if (status != TRANSCRIBE_OK || numbers.fe_n_samples <= 0 ||
      numbers.fe_n_samples != std::int64_t{numbers.fe_nb_max_frames} * kHop)
    return status;
  found_.samples_ = &numbers.fe_n_samples;
  found_.frames_ = &numbers.fe_nb_max_frames;
  found_.full_ = audio::DurationOf(numbers.fe_n_samples);
  return status;
}

}  // namespace headroom::worker

extern "C" {
// The engine takes the first positions for a shorter window: here it gets the first and the last.
ggml_tensor* __wrap_ggml_view_2d(ggml_context* context, ggml_tensor* of, std::int64_t columns,
                                 std::int64_t rows, std::size_t row_bytes, std::size_t offset) {
  using headroom::worker::first_positions;
  const std::int64_t last = rows - first_positions;
  if (first_positions == 0 || last <= 0 || rows >= of->ne[1] || offset != 0 ||
      std::strcmp(of->name, headroom::worker::kPositions) != 0)
    return __real_ggml_view_2d(context, of, columns, rows, row_bytes, offset);
  const auto skipped = static_cast<std::size_t>(of->ne[1] - last);
  return ggml_concat(
      context, __real_ggml_view_2d(context, of, columns, first_positions, row_bytes, 0),
      __real_ggml_view_2d(context, of, columns, last, row_bytes, skipped * row_bytes), 1);
}

transcribe_status
__wrap__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
    const gguf_context* gguf, transcribe::whisper::WhisperHParams& numbers) {
  using headroom::worker::searching;
  return searching ? searching->Read(gguf, numbers) : headroom::worker::ReadNumbers(gguf, numbers);
}
}  // NOLINTEND(bugprone-reserved-identifier)
