// A model that is kept ready in a worker: speech in, text out, and the worker replaced when it
// dies.
//
// One failure of the worker costs one retry of the same audio in a new worker; a second one is the
// caller's Error. Text that the model left out is asked for again in halves (decoding.h). One
// thread at a time; cancelling from any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "asr/client/chunk_recognizer.h"
#include "asr/client/worker.h"
#include "base/cancel.h"

namespace headroom::asr {

class Recognizer : public ChunkRecognizer {
 public:
  Recognizer(WorkerOptions options, LoadRequest model)
      : options_(std::move(options)), model_(std::move(model)) {}

  /// Spawns a worker and loads the model, unless that is done.
  Result<> Start(CancelToken* cancel = nullptr);
  /// Valid after Start succeeded.
  const ModelTraits& traits() const { return traits_; }

  /// result.truncated stays set when even short pieces came back incomplete.
  Result<RunResult> Recognize(const RecognitionOptions& options, const audio::FiniteAudio& audio,
                              CancelToken* cancel = nullptr) override;
  bool Recover(CancelToken* cancel) override { return Start(cancel).has_value(); }
  Milliseconds longest() const override { return traits_.max_audio; }
  std::string model() const override { return std::filesystem::path(model_.path).stem(); }

  /// Seconds of computing for a second of audio so far; 0 before the first result.
  double rate() const { return audio_seconds_ > 0 ? run_seconds_ / audio_seconds_ : 0; }
  /// Workers that were replaced.
  int restarts() const { return restarts_; }

 private:
  Result<RunResult> RunOnce(const RecognitionOptions& options, std::span<const float> samples,
                            CancelToken* cancel);

  WorkerOptions options_;
  LoadRequest model_;
  ModelTraits traits_;
  std::unique_ptr<Worker> worker_;
  double audio_seconds_ = 0, run_seconds_ = 0;
  int restarts_ = 0;
};

}  // namespace headroom::asr
