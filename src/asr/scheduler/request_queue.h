// The one queue between "an utterance is complete" and "its text is here": every utterance from its
// submission to its answer, by client. Pure: single-threaded, the time is an argument.
//
// Earliest deadline first: a dictated utterance is due immediately, a streamed one a second after
// its submission, one from a file after half a minute. Among equal deadlines the client goes first
// that was served longest ago. So no file delays a person by more than one run, and no client
// starves. Answers leave in each client's order of submission; an utterance that waits for another
// try holds back none. An utterance has one identity from here to its text: its client and the
// client's id.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>

#include "asr/client/decoding.h"
#include "asr/scheduler/utterance.h"
#include "asr/scheduler/worker_pool.h"

namespace headroom::asr {

/// From its submission until an utterance is due.
Milliseconds DeadlineOffset(Urgency urgency);

/// An utterance from its submission to its answer.
struct Request {
  Utterance utterance;
  audio::FiniteAudio source;  // what is decoded: its own, or that of the adopted speculation
  std::uint64_t seq = 0;      // in the order of submission
  MonoTime submitted{}, due{};
  MonoTime not_before{};  // it waits for another try until then
  bool taken = false;     // a worker has it, had it, or failed to load for it

  // While it is taken:
  WorkerPool::SlotRole role = WorkerPool::SlotRole::kPrimary;  // where it was begun
  MonoTime began{}, failed_at{};
  std::optional<Decoding> decoding;  // begun

  std::uint32_t failed_tiers = 0;  // a bit for each, in this try
  std::string why;                 // what those tiers said
  int attempts = 0, failures = 0, tries = 1;
  bool adopted = false;
  bool alone = false;                       // it was in a batch that failed, and joins none again
  std::optional<Result<RunResult>> answer;  // it is over
  std::string tier;                         // that decoded it
};

class RequestQueue {
 public:
  /// Holds at most so many requests.
  explicit RequestQueue(std::size_t most) : most_(most) {}

  void Connect(ClientId client, Urgency urgency, RetryPolicy retry);
  /// The client's requests are gone without an answer; gives how many. No-op for an unknown one.
  std::size_t Disconnect(ClientId client);

  /// kBusy: too many are here. CHECKs that the client is connected.
  Result<Request*> Push(Utterance utterance, MonoTime now);
  /// That has no answer yet; nullptr: none such. Requests stay where they are until they are
  /// answered.
  Request* Find(UtteranceKey key);

  /// That is due first of those that wait for a worker; nullptr: none does.
  Request* Next(MonoTime now);
  /// It is being served: a place in the queue is used up.
  void Take(Request& request);
  /// After every tier has failed it: it waits for another try. False: it has had its tries.
  bool Retry(Request& request, MonoTime now);

  /// Whether a request is to be served now, or is being served.
  bool Busy(MonoTime now) const;
  /// The next answer that may leave.
  std::optional<Request> PopAnswered();
  /// Whatever is here, in the order in which answers would leave.
  std::optional<Request> Pop();

  std::size_t size() const { return size_; }
  /// Of them: that wait for another try.
  std::size_t Delayed(MonoTime now) const;
  /// When the first of those may be tried; nullopt: there is none.
  std::optional<MonoTime> NextTry(MonoTime now) const;

 private:
  struct Client {
    Urgency urgency = Urgency::kDictation;
    RetryPolicy retry;
    std::uint64_t served = 0;     // when last, as a count of all that were taken
    std::list<Request> requests;  // in the order of submission
  };
  static Request* FirstWaiting(Client& client, MonoTime now);
  template <class Visit>
  void ForEach(Visit visit) const;
  std::optional<Request> Remove(Client& client, std::list<Request>::iterator request);

  const std::size_t most_;
  std::map<ClientId, Client> clients_;
  std::size_t size_ = 0;
  std::uint64_t last_seq_ = 0, taken_ = 0;
};

}  // namespace headroom::asr
