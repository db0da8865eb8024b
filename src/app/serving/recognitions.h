// Pieces of recordings that a command of the same user reads and cuts itself, recognised between
// other clients' speech. One thread.
#pragma once

#include <map>
#include <memory>

#include "asr/scheduler/scheduler.h"
#include "net/control/control.h"

namespace headroom::app {

class Recognitions {
 public:
  /// Each holds the samples of one piece.
  static constexpr std::size_t kMost = 16;

  /// `scheduler` must outlive it.
  explicit Recognitions(asr::Scheduler& scheduler) : scheduler_(scheduler) {}

  /// As net::ControlService::BeginRecognition.
  void Begin(net::RecognitionId id, net::RecognizeRequest request, net::Answer answer);
  void End(net::RecognitionId id) { clients_.erase(id); }

 private:
  asr::Scheduler& scheduler_;
  std::map<net::RecognitionId, std::unique_ptr<asr::Scheduler::Client>> clients_;
};

}  // namespace headroom::app
