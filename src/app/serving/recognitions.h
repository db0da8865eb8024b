// Pieces of recordings that a command of the same user reads and cuts itself, recognised between
// everybody else's speech. One thread.
#pragma once

#include <map>
#include <memory>

#include "asr/scheduler/switchboard.h"
#include "net/control/control.h"

namespace headroom::app {

class Recognitions {
 public:
  /// Each holds the samples of one piece.
  static constexpr std::size_t kMost = 16;

  /// `board` must outlive it.
  explicit Recognitions(Switchboard& board) : board_(board) {}

  /// As net::ControlService::BeginRecognition.
  void Begin(net::RecognitionId id, net::RecognizeRequest request, net::Answer answer);
  void End(net::RecognitionId id) { lines_.erase(id); }

 private:
  Switchboard& board_;
  std::map<net::RecognitionId, std::unique_ptr<Switchboard::Line>> lines_;
};

}  // namespace headroom::app
