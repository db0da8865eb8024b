// Sends audio files to the running service, whose model is already loaded, so that no second model
// takes memory.
#pragma once

#include <functional>
#include <string>

#include "asr/client/chunk_recognizer.h"
#include "net/control/client.h"

namespace headroom::cli {

class DaemonRecognizer : public asr::ChunkRecognizer {
 public:
  /// `note` is called with a line of text when Recognize has to wait.
  DaemonRecognizer(net::ControlClient daemon, std::function<void(const std::string&)> note)
      : daemon_(std::move(daemon)), note_(std::move(note)) {}

  /// When the service ends meanwhile, waits up to 30 s for it and asks again.
  Result<asr::RunResult> Recognize(const speech::RecognitionOptions& options,
                                   const audio::FiniteAudio& audio, CancelToken* cancel) override;
  /// The service has already tried all of its tiers.
  bool Recover(CancelToken*) override { return false; }
  Milliseconds longest() const override { return Milliseconds(0); }
  std::string model() const override { return model_; }

 private:
  const net::ControlClient daemon_;
  const std::function<void(const std::string&)> note_;
  std::string model_;
};

}  // namespace headroom::cli
