#include "asr/scheduler/switchboard.h"

#include <algorithm>
#include <utility>

#include "audio/format/format.h"

namespace headroom::app {
namespace {

Milliseconds LengthOf(const asr::Utterance& utterance) {
  return utterance.samples ? audio::DurationOf(static_cast<std::int64_t>(utterance.samples->size()))
                           : Milliseconds(0);
}

}  // namespace

Milliseconds PatienceOf(Urgency urgency) {
  switch (urgency) {
    case Urgency::kDictation:
      return Milliseconds(0);
    case Urgency::kStream:
      return Milliseconds(1'000);
    case Urgency::kFile:
      return Milliseconds(30'000);
  }
  return Milliseconds(0);
}

// ---- a line ----

Switchboard::Line::~Line() {
  {
    const std::lock_guard lock(board_.mutex_);
    wire_->gone = true;
    wire_->wanted = false;
    board_.waiting_ -= wire_->waiting.size();
    wire_->waiting.clear();
    std::erase(board_.wires_, wire_);
    if (board_.scheduler_ != nullptr) {
      for (const Running& running : board_.running_) {
        if (running.wire == wire_) board_.scheduler_->Cancel(running.id);
      }
      if (board_.LastIsOf(*wire_)) board_.scheduler_->CancelSpeculation();
    }
    board_.Wanted();
  }
  const std::lock_guard called(wire_->calling);
  wire_->events = {};
}

void Switchboard::Line::SetWanted(bool wanted) {
  const std::lock_guard lock(board_.mutex_);
  wire_->wanted = wanted;
  board_.Wanted();
}

Result<> Switchboard::Line::Submit(asr::Utterance utterance) {
  TRY(asr::Validate(utterance));
  const std::lock_guard lock(board_.mutex_);
  if (board_.waiting_ >= board_.most_waiting_)
    return Fail(Errc::kBusy, "{} utterances wait already", board_.waiting_);
  const MonoTime due = board_.clock_.Now() + PatienceOf(wire_->urgency);
  wire_->waiting.push_back({std::move(utterance), due, board_.next_order_++});
  ++board_.waiting_;
  board_.Feed();
  return {};
}

asr::Ticket Switchboard::Line::Speculate(asr::Utterance utterance, bool early) {
  const std::lock_guard lock(board_.mutex_);
  if (board_.scheduler_ == nullptr || !board_.running_.empty() || board_.waiting_ > 0) return 0;
  if (!board_.speculations_.empty() && !board_.LastIsOf(*wire_)) {
    const Speculation& other = board_.speculations_.rbegin()->second;
    const bool better = wire_->urgency < other.wire->urgency ||
                        (wire_->urgency == other.wire->urgency && early && !other.early);
    if (!better) return 0;
  }
  const std::uint64_t own = utterance.id;
  utterance.id = 0;
  const asr::Ticket ticket = board_.scheduler_->Speculate(std::move(utterance));
  if (ticket != 0) board_.speculations_.emplace(ticket, Speculation{own, wire_, early});
  return ticket;
}

void Switchboard::Line::CancelSpeculation() {
  const std::lock_guard lock(board_.mutex_);
  // Also of one that has ended: its result is kept until then.
  if (board_.scheduler_ != nullptr && (board_.speculations_.empty() || board_.LastIsOf(*wire_)))
    board_.scheduler_->CancelSpeculation();
}

bool Switchboard::Line::Cancel(std::uint64_t id) {
  const std::lock_guard lock(board_.mutex_);
  for (const Running& running : board_.running_) {
    if (running.wire != wire_ || running.own != id) continue;
    if (board_.scheduler_ != nullptr) board_.scheduler_->Cancel(running.id);
    return false;
  }
  const auto gone =
      std::erase_if(wire_->waiting, [id](const Waiting& one) { return one.utterance.id == id; });
  board_.waiting_ -= gone;
  return gone > 0;
}

// ---- the board ----

std::unique_ptr<Switchboard::Line> Switchboard::Connect(Urgency urgency, LineEvents events) {
  auto wire = std::make_shared<Wire>();
  wire->events = std::move(events);
  wire->urgency = urgency;
  const std::lock_guard lock(mutex_);
  wires_.push_back(wire);
  return std::unique_ptr<Line>(new Line(*this, std::move(wire)));
}

void Switchboard::Begin(asr::Scheduler& scheduler) {
  const std::lock_guard lock(mutex_);
  scheduler_ = &scheduler;
  Wanted();
  Feed();
}

void Switchboard::End() {
  const std::lock_guard lock(mutex_);
  scheduler_ = nullptr;
}

// With mutex_ held.
bool Switchboard::LastIsOf(const Wire& wire) const {
  return !speculations_.empty() && speculations_.rbegin()->second.wire.get() == &wire;
}

// With mutex_ held.
void Switchboard::Wanted() {
  if (scheduler_ != nullptr)
    scheduler_->SetWanted(
        std::ranges::any_of(wires_, [](const auto& wire) { return wire->wanted; }));
}

// With mutex_ held.
std::shared_ptr<Switchboard::Wire> Switchboard::NextDue() const {
  std::shared_ptr<Wire> next;
  const auto before = [](const Wire& a, const Wire& b) {
    const Waiting &x = a.waiting.front(), &y = b.waiting.front();
    return std::tie(x.due, a.served, x.order) < std::tie(y.due, b.served, y.order);
  };
  for (const auto& wire : wires_) {
    if (!wire->waiting.empty() && (!next || before(*wire, *next))) next = wire;
  }
  return next;
}

// With mutex_ held.
void Switchboard::Feed() {
  if (scheduler_ == nullptr || !running_.empty()) return;
  const std::size_t at_once = scheduler_->at_once();
  asr::RunRequest request;  // of the first
  while (running_.size() < at_once) {
    const std::shared_ptr<Wire> next = NextDue();
    if (!next || (!running_.empty() && next->waiting.front().utterance.request != request)) return;
    Waiting one = std::move(next->waiting.front());
    next->waiting.pop_front();
    --waiting_;
    next->served = next_id_;
    running_.push_back({next_id_++, one.utterance.id, next, LengthOf(one.utterance)});
    one.utterance.id = running_.back().id;
    request = one.utterance.request;
    // Its bound is never reached by so few, and the utterance was looked at when it came.
    static_cast<void>(scheduler_->Submit(std::move(one.utterance)));
  }
}

void Switchboard::OnDecoded(asr::Decoded decoded) {
  std::shared_ptr<Wire> wire;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(running_, decoded.id, &Running::id);
    if (found == running_.end()) return;
    wire = found->wire;
    decoded.id = found->own;
    running_.erase(found);
    Feed();
  }
  const std::lock_guard called(wire->calling);
  if (wire->events.on_decoded) wire->events.on_decoded(std::move(decoded));
}

void Switchboard::OnSpeculated(asr::Speculated speculated) {
  std::shared_ptr<Wire> wire;
  {
    const std::lock_guard lock(mutex_);
    const auto found = speculations_.find(speculated.ticket);
    if (found == speculations_.end()) return;
    wire = found->second.wire;
    speculated.id = found->second.own;
    speculations_.erase(found);
  }
  const std::lock_guard called(wire->calling);
  if (wire->events.on_speculated) wire->events.on_speculated(std::move(speculated));
}

std::size_t Switchboard::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_ + running_.size();
}

Milliseconds Switchboard::queue() const {
  const std::lock_guard lock(mutex_);
  Milliseconds queue(0);
  for (const Running& running : running_) queue += running.audio;
  for (const auto& wire : wires_) {
    for (const Waiting& one : wire->waiting) queue += LengthOf(one.utterance);
  }
  return queue;
}

}  // namespace headroom::app
