#include "app/daemon/dictation_controller.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace headroom::app {
namespace {

constexpr Milliseconds kListenWithin{8'000};  // for the first sample

}  // namespace

DictationController::DictationController(Maker make, Status status, const Clock& clock)
    : make_(std::move(make)), status_(std::move(status)), clock_(clock) {}

Result<> DictationController::Start() {
  TRY_ASSIGN(auto made, make_());
  const MutexLock lock(mutex_);
  dictation_ = std::move(made);
  return {};
}

std::shared_ptr<Dictation> DictationController::dictation() const {
  const MutexLock lock(mutex_);
  return dictation_;
}

void DictationController::Listen(net::Answer answer) {
  Listen();
  listeners_.push_back({std::move(answer), clock_.Now() + kListenWithin});
}

void DictationController::AnswerListeners() {
  if (listeners_.empty()) return;
  const auto dictation = this->dictation();
  const DictationState state = dictation->state();
  const bool heard = state == DictationState::kListening || state == DictationState::kSpeaking;
  const bool waits = !heard && dictation->wanted();
  std::vector<Listener> listeners = std::exchange(listeners_, {});
  for (Listener& one : listeners) {
    if (heard) {
      one.answer(status_());
    } else if (waits && clock_.Now() < one.until) {
      listeners_.push_back(std::move(one));
    } else {
      const std::string why = dictation->source().problem;
      one.answer(Fail(Errc::kTimeout, "no sound comes from the microphone{}{}",
                      why.empty() ? "" : ": ", why));
    }
  }
}

void DictationController::Replace(bool always) {
  replacing_ = true;
  resume_ = always;
}

Result<> DictationController::Turn() {
  AnswerListeners();
  if (!replacing_) return {};
  const DictationState state = this->state();
  if (state != DictationState::kIdle && state != DictationState::kListening) return {};
  resume_ = resume_ || wanted();
  Finish();
  return state == DictationState::kIdle ? TakeOver() : Result<>();
}

Result<> DictationController::TakeOver() {
  replacing_ = false;
  auto made = make_();
  if (made) {
    std::shared_ptr<Dictation> next = std::move(*made);
    const MutexLock lock(mutex_);
    dictation_.swap(next);  // the old one ends after the lock and before the new one listens
  }
  if (resume_) Listen();
  if (!made) return std::unexpected(made.error());
  return {};
}

}  // namespace headroom::app
