// Pieces of recordings that a command of the same user reads and cuts itself, recognised between
// everybody else's speech. One thread.
#pragma once

#include <map>
#include <memory>

#include "api/control.h"
#include "daemon/switchboard.h"

namespace headroom::daemon {

class Recognitions {
 public:
  /// Each holds the samples of one piece.
  static constexpr std::size_t kMost = 16;

  /// `board` must outlive it.
  explicit Recognitions(Switchboard& board) : board_(board) {}

  /// As api::ControlService::BeginRecognition.
  void Begin(api::RecognitionId id, api::RecognizeRequest request, api::Answer answer);
  void End(api::RecognitionId id) { lines_.erase(id); }

 private:
  Switchboard& board_;
  std::map<api::RecognitionId, std::unique_ptr<Switchboard::Line>> lines_;
};

}  // namespace headroom::daemon
