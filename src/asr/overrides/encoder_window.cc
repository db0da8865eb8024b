#include "asr/overrides/encoder_window.h"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <cstring>

#include "asr/overrides/spectrogram.h"
#include "audio/format/format.h"
#include "base/check.h"
#include "base/owned.h"

// The second is transcribe::whisper::read_whisper_hparams(const gguf_context*, WhisperHParams&), as
// the Itanium C++ ABI names it; the linker sets the prefixes.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
ggml_tensor* __real_ggml_view_2d(ggml_context* context, ggml_tensor* of, std::int64_t columns,
                                 std::int64_t rows, std::size_t row_bytes, std::size_t offset);
ggml_tensor* __wrap_ggml_view_2d(ggml_context* context, ggml_tensor* of, std::int64_t columns,
                                 std::int64_t rows, std::size_t row_bytes, std::size_t offset);
int __real__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
    const gguf_context* gguf, void* numbers);
int __wrap__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
    const gguf_context* gguf, void* numbers);
}

namespace headroom::worker {
namespace {

constexpr const char* kSamplesKey = "stt.frontend.n_samples";
constexpr const char* kFramesKey = "stt.frontend.nb_max_frames";
constexpr std::int32_t kHop = 160;  // samples of a frame
constexpr Milliseconds kStep{20};
// Measured: docs/kernels.md.
constexpr Milliseconds kSilence{4000};
constexpr Milliseconds kShortest{12'000};
// No model has these, and they lie well inside what the engine reads them into (WhisperHParams is
// a part of a larger object, so looking at this much of it is allowed).
constexpr std::int32_t kSamplesMark = 0x5a17c0de;
constexpr std::int32_t kFramesMark = 0x5a17face;
constexpr std::size_t kSearched = 512;

constexpr int kOk = 0;  // TRANSCRIBE_OK

thread_local WindowSearch* searching = nullptr;

constexpr const char* kPositions = "enc.pos_emb.weight";  // one row for 20 ms
// Positions behind the speech that follow it as they do in a whole window.
constexpr Milliseconds kFollowing{500};
thread_local std::int64_t first_positions = 0;  // the rest are the last ones; 0: all are the first

std::uint32_t NumberOr0(const gguf_context* gguf, const char* key) {
  const std::int64_t at = gguf_find_key(gguf, key);
  return at >= 0 && gguf_get_kv_type(gguf, at) == GGUF_TYPE_UINT32 ? gguf_get_val_u32(gguf, at) : 0;
}

// Where `mark` stands, if it does exactly once.
std::int32_t* FindMark(void* numbers, std::int32_t mark) {
  std::int32_t* found = nullptr;
  auto* bytes = static_cast<std::byte*>(numbers);
  for (std::size_t at = 0; at < kSearched; at += sizeof mark) {
    std::int32_t value = 0;
    std::memcpy(&value, bytes + at, sizeof value);
    if (value != mark) continue;
    if (found) return nullptr;
    found = reinterpret_cast<std::int32_t*>(bytes + at);
  }
  return found;
}

int ReadNumbers(const gguf_context* gguf, void* numbers) {
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

int WindowSearch::Read(const void* file, void* numbers) {
  const auto* gguf = static_cast<const gguf_context*>(file);
  const std::uint32_t samples = NumberOr0(gguf, kSamplesKey);
  const std::uint32_t frames = NumberOr0(gguf, kFramesKey);
  EncoderWindow found;
  if (samples > 0 && samples <= INT32_MAX && samples == frames * std::uint64_t{kHop}) {
    const Owned<gguf_context, gguf_free> marked(gguf_init_empty());
    gguf_set_kv(marked.get(), gguf);
    gguf_set_val_u32(marked.get(), kSamplesKey, kSamplesMark);
    gguf_set_val_u32(marked.get(), kFramesKey, kFramesMark);
    if (ReadNumbers(marked.get(), numbers) == kOk) {
      found.samples_ = FindMark(numbers, kSamplesMark);
      found.frames_ = FindMark(numbers, kFramesMark);
    }
  }
  const int status = ReadNumbers(gguf, numbers);
  if (status == kOk && found.samples_ && found.frames_ &&
      *found.samples_ == static_cast<std::int32_t>(samples) &&
      *found.frames_ == static_cast<std::int32_t>(frames)) {
    found.full_ = audio::DurationOf(static_cast<std::int64_t>(samples));
    found_ = found;
  }
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

int __wrap__ZN10transcribe7whisper20read_whisper_hparamsEPK12gguf_contextRNS0_14WhisperHParamsE(
    const gguf_context* gguf, void* numbers) {
  using headroom::worker::searching;
  return searching ? searching->Read(gguf, numbers) : headroom::worker::ReadNumbers(gguf, numbers);
}
}  // NOLINTEND(bugprone-reserved-identifier)
