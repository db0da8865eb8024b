// How much audio Whisper's encoder computes at once.
//
// Whisper was trained on windows of 30 s, and its encoder computes a whole window whatever was
// said. It also works on shorter ones, if what they leave out is silence in the middle: the
// positions of the window's end must be there, or the model does not notice that speech is over and
// says it again. docs/kernels.md has what was measured.
//
// The engine takes the window's length from the model's file and reads it again in every run, so it
// can be changed in a loaded model; there is no call for that, so the two numbers are changed in
// the engine's WhisperHParams. Replaced at link time (--wrap, see overrides.tsv).
#pragma once

#include <transcribe.h>

#include <cstdint>

#include "base/clock.h"

struct gguf_context;
namespace transcribe::whisper {
struct WhisperHParams;
}

namespace headroom::worker {

/// The window for that much audio: as short as the text allows, at most `full`. Never shorter for
/// more audio.
Milliseconds WindowFor(Milliseconds audio, Milliseconds full);

/// The window of one loaded model; null for models that have none. Not thread-safe: it is what the
/// next run of the model reads, and valid as long as the model.
class EncoderWindow {
 public:
  EncoderWindow() = default;
  /// True: Set has an effect.
  explicit operator bool() const { return samples_ != nullptr; }
  /// As the file says; 0 when there is none.
  Milliseconds full() const { return full_; }
  /// For runs by this thread from now on, of at most `audio` each: `window`, at most full(), in
  /// steps of 20 ms (the encoder halves frames of 10 ms).
  void Set(Milliseconds window, Milliseconds audio);

 private:
  friend class WindowSearch;
  std::int32_t* samples_ = nullptr;  // the engine's; null: there is no window
  std::int32_t* frames_ = nullptr;
  Milliseconds full_{0};
};

/// While one exists, it finds the window of a model that this thread loads. A model whose numbers
/// do not agree has no window to change, which is slower and nothing else.
class WindowSearch {
 public:
  WindowSearch();
  ~WindowSearch();
  WindowSearch(const WindowSearch&) = delete;
  WindowSearch& operator=(const WindowSearch&) = delete;
  EncoderWindow found() const { return found_; }

  /// What reading the numbers of a file into `numbers` has become.
  transcribe_status Read(const gguf_context* gguf, transcribe::whisper::WhisperHParams& numbers);

 private:
  EncoderWindow found_;
};

}  // namespace headroom::worker
