// Voice activity: how likely each 32 ms frame of 16 kHz audio is to hold speech.
//
// The model is Silero VAD v6, run by the engine's CPU build in this process with one thread: 0.14
// ms a frame and about 13 MB. One detector belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "base/error.h"

struct transcribe_model;
struct transcribe_vad_session;

namespace headroom::speech {

/// Samples in a frame, at 16 kHz.
inline constexpr std::int64_t kFrameSamples = 512;

/// Where probabilities come from. Frames are counted from the last Reset or Flush; frame n covers
/// samples [n * kFrameSamples, (n + 1) * kFrameSamples).
class SpeechProbability {
 public:
  virtual ~SpeechProbability() = default;

  /// Any number of finite samples. The probabilities, 0 to 1, of the frames they complete; valid
  /// until the next call. kInvalid, and the stream as it was, when a sample is not finite.
  virtual Result<std::span<const float>> Feed(std::span<const float> samples) = 0;
  /// The probability of what was left over, filled up with zeros: one, or none when nothing was
  /// left. Ends the stream; the next Feed begins another.
  virtual Result<std::span<const float>> Flush() = 0;
  /// Forgets the stream.
  virtual void Reset() = 0;
};

class VoiceDetector : public SpeechProbability {
 public:
  /// `path` is a GGUF with the architecture silero_vad. The engine's messages are silenced for the
  /// whole process from the first call on; the last of them is part of the error.
  static Result<std::unique_ptr<VoiceDetector>> Load(const std::filesystem::path& path);

  Result<std::span<const float>> Feed(std::span<const float> samples) override;
  Result<std::span<const float>> Flush() override;
  void Reset() override;

 private:
  struct FreeModel {
    void operator()(transcribe_model* model) const;
  };
  struct FreeSession {
    void operator()(transcribe_vad_session* session) const;
  };

  VoiceDetector() = default;
  Result<std::span<const float>> Probabilities(int status, const char* doing) const;

  std::unique_ptr<transcribe_model, FreeModel> model_;
  std::unique_ptr<transcribe_vad_session, FreeSession> session_;  // freed before its model
};

}  // namespace headroom::speech
