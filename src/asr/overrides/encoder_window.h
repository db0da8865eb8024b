// How much audio Whisper's encoder computes at once.
//
// Whisper was trained on windows of 30 s, and its encoder computes a whole window whatever was
// said. It also works on shorter ones, if what they leave out is silence in the middle: the
// positions of the window's end must be there, or the model does not notice that speech is over and
// says it again. docs/kernels.md has what was measured.
//
// The engine takes the window's length from the model's file and reads it again in every run, so it
// can be changed in a loaded model; there is no call for that, so the two numbers are found where
// the engine keeps them.
#pragma once

#include <cstdint>

#include "base/clock.h"

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

/// While one exists, the window of a model that this thread loads is looked for: at link time
/// (--wrap) reading the model's numbers becomes reading them twice, first with marks in place of
/// the window's two, which then are found in what was read. Whatever does not fit what is known
/// of the engine leaves the model without a window to change, which is slower and nothing else.
class WindowSearch {
 public:
  WindowSearch();
  ~WindowSearch();
  WindowSearch(const WindowSearch&) = delete;
  WindowSearch& operator=(const WindowSearch&) = delete;
  EncoderWindow found() const { return found_; }

  /// What reading the numbers of a file (a gguf_context) into `numbers` has become.
  int Read(const void* gguf, void* numbers);

 private:
  EncoderWindow found_;
};

}  // namespace headroom::worker
