// Recordings are recognised by the service that runs anyway: its model is loaded already, and there
// is no second one in memory.
#pragma once

#include <functional>
#include <string>

#include "asr/client/chunk_recognizer.h"
#include "net/control/client.h"

namespace headroom::cli {

class DaemonRecognizer : public asr::ChunkRecognizer {
 public:
  /// `note` gets a line when something has to be waited for.
  DaemonRecognizer(net::ControlClient daemon, std::function<void(const std::string&)> note)
      : daemon_(std::move(daemon)), note_(std::move(note)) {}

  /// A service that ends meanwhile is waited for, for half a minute, and is asked again.
  Result<asr::RunResult> Recognize(const asr::RunRequest& request, std::span<const float> samples,
                                   CancelToken* cancel) override;
  /// All of its tiers have had their try.
  bool Recover(CancelToken*) override { return false; }
  Milliseconds longest() const override { return Milliseconds(0); }
  std::string model() const override { return model_; }

 private:
  const net::ControlClient daemon_;
  const std::function<void(const std::string&)> note_;
  std::string model_;
};

}  // namespace headroom::cli
