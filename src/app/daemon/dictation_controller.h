// The dictation that runs, the clients that wait for its first sample, and its replacement by one
// of another configuration.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/dictation/dictation.h"
#include "base/mutex.h"
#include "net/control/control.h"

namespace headroom::app {

class DictationController {
 public:
  /// As configured now.
  using Maker = std::function<Result<std::unique_ptr<Dictation>>()>;
  /// The answer to a client.
  using Status = std::function<nlohmann::json()>;

  DictationController(Maker make, Status status, const Clock& clock);
  /// Once, before anything else. Its events may come before this returns.
  Result<> Start();

  // Any thread.
  void Listen() { dictation()->Listen(); }
  void Finish() { dictation()->Finish(); }
  void Cancel() { dictation()->Cancel(); }
  bool wanted() const { return dictation()->wanted(); }
  DictationState state() const { return dictation()->state(); }
  audio::SourceReport source() const { return dictation()->source(); }
  bool source_ended() const { return dictation()->source_ended(); }
  bool WaitUntilIdle(Milliseconds wait) const { return dictation()->WaitUntilIdle(wait); }

  // One thread.
  /// Listens, and answers once samples come.
  void Listen(net::Answer answer);
  /// A new one takes over as soon as no utterance is open, and listens if the old one did.
  /// `always`: in any case.
  void Replace(bool always);
  /// Call it when the state has changed, and often. An error: the new one could not be made, and
  /// the old one goes on.
  Result<> Turn();

 private:
  struct Listener {
    net::Answer answer;
    MonoTime until;
  };
  std::shared_ptr<Dictation> dictation() const EXCLUDES(mutex_);
  void AnswerListeners();
  Result<> TakeOver();

  const Maker make_;
  const Status status_;
  const Clock& clock_;
  std::vector<Listener> listeners_;
  bool replacing_ = false;
  bool resume_ = false;  // the new one listens

  mutable Mutex mutex_;
  std::shared_ptr<Dictation> dictation_ GUARDED_BY(mutex_);
};

}  // namespace headroom::app
