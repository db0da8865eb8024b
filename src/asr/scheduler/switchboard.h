// One scheduler for everybody who wants speech turned into text: dictation, live streams, files.
//
//   Switchboard board;                                     // before the scheduler
//   auto line = board.Connect(Urgency::kStream, {.on_decoded = …});
//   board.Begin(scheduler);                                // its events go to board.On…
//
// Fair by deadline: an utterance is due at once when it was dictated, a second after it was
// streamed, half a minute after it came from a file; what is due first goes first, and who was
// served longest ago when two are. So no file keeps a person waiting for longer than one run, and
// none waits for ever. Only what is decoded in one run is given to the scheduler, one utterance or,
// where the loaded tier takes several at once, those that are due next and ask for the same: the
// rest can still be overtaken. Any thread; the order of what one line submits is kept.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "asr/scheduler/scheduler.h"

namespace headroom::app {

enum class Urgency { kDictation, kStream, kFile };
/// From its submission until an utterance is due.
Milliseconds PatienceOf(Urgency urgency);

/// As the scheduler's, with the ids of the line. On the scheduler's thread.
struct LineEvents {
  std::function<void(asr::Decoded)> on_decoded;
  std::function<void(asr::Speculated)> on_speculated = {};
};

class Switchboard {
  struct Wire;

 public:
  /// One who speaks. Destroyed: what was submitted is forgotten, and no event comes any more; not
  /// from within an event.
  class Line {
   public:
    ~Line();
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    void SetWanted(bool wanted);
    /// As Scheduler::Submit. Ids are the caller's, each at most once at a time.
    Result<> Submit(asr::Utterance utterance);
    /// As Scheduler::Speculate; `early`: perhaps the whole utterance. 0 also when somebody else's
    /// is worth more.
    asr::Ticket Speculate(asr::Utterance utterance, bool early);
    /// Only one's own.
    void CancelSpeculation();
    /// True: it had not been begun, and no event comes for it. Else the scheduler answers.
    bool Cancel(std::uint64_t id);

   private:
    friend Switchboard;
    Line(Switchboard& board, std::shared_ptr<Wire> wire) : board_(board), wire_(std::move(wire)) {}
    Switchboard& board_;
    std::shared_ptr<Wire> wire_;
  };

  explicit Switchboard(std::size_t most_waiting = 256, const Clock& clock = SystemClock())
      : most_waiting_(most_waiting), clock_(clock) {}

  /// The board must outlive its lines.
  std::unique_ptr<Line> Connect(Urgency urgency, LineEvents events);
  void Begin(asr::Scheduler& scheduler);
  /// The scheduler is about to go: nothing is given to it any more.
  void End();

  void OnDecoded(asr::Decoded decoded);
  void OnSpeculated(asr::Speculated speculated);

  std::size_t waiting() const;  // utterances, those with the scheduler included
  Milliseconds queue() const;   // speech in them

 private:
  struct Waiting {
    asr::Utterance utterance;  // with the line's id
    MonoTime due{};
    std::uint64_t order = 0;
  };
  struct Wire {
    std::mutex calling;  // held during an event
    LineEvents events;   // guarded by calling
    Urgency urgency = Urgency::kFile;
    // Guarded by the board's mutex:
    bool wanted = false, gone = false;
    std::uint64_t served = 0;  // when last, in utterances of the board
    std::deque<Waiting> waiting;
  };
  struct Running {
    std::uint64_t id = 0;   // the scheduler's
    std::uint64_t own = 0;  // the line's
    std::shared_ptr<Wire> wire;
    Milliseconds audio{};
  };
  struct Speculation {
    std::uint64_t own = 0;
    std::shared_ptr<Wire> wire;
    bool early = false;
  };

  void Feed();
  std::shared_ptr<Wire> NextDue() const;
  bool LastIsOf(const Wire& wire) const;
  void Wanted();

  const std::size_t most_waiting_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  asr::Scheduler* scheduler_ = nullptr;  // guarded by mutex_, as all below
  std::vector<std::shared_ptr<Wire>> wires_;
  std::size_t waiting_ = 0;  // not with the scheduler
  std::uint64_t next_id_ = 1, next_order_ = 1;
  std::vector<Running> running_;                     // with the scheduler
  std::map<asr::Ticket, Speculation> speculations_;  // not answered; only the last one counts
};

}  // namespace headroom::app
