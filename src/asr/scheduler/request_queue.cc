#include "asr/scheduler/request_queue.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace headroom::asr {

Milliseconds DeadlineOffset(Urgency urgency) {
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

void RequestQueue::Connect(ClientId client, Urgency urgency, RetryPolicy retry) {
  Client& entry = clients_[client];
  entry.urgency = urgency;
  entry.retry = retry;
}

std::size_t RequestQueue::Disconnect(ClientId client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return 0;
  const std::size_t gone = found->second.requests.size();
  size_ -= gone;
  clients_.erase(found);
  return gone;
}

Result<Request*> RequestQueue::Push(Utterance utterance, MonoTime now) {
  const auto client = clients_.find(utterance.client);
  CHECK(client != clients_.end());
  if (size_ >= most_) return Fail(Errc::kBusy, "{} utterances wait already", size_);
  Request request;
  request.source = utterance.audio;
  request.seq = ++last_seq_;
  request.submitted = request.began = now;
  request.due = now + DeadlineOffset(client->second.urgency);
  request.utterance = std::move(utterance);
  ++size_;
  return &client->second.requests.emplace_back(std::move(request));
}

Request* RequestQueue::Find(UtteranceKey key) {
  const auto client = clients_.find(key.client);
  if (client == clients_.end()) return nullptr;
  for (Request& request : client->second.requests) {
    if (request.utterance.id == key.id && !request.answer) return &request;
  }
  return nullptr;
}

Request* RequestQueue::FirstWaiting(Client& client, MonoTime now) {
  const auto waits = [now](const Request& one) {
    return !one.taken && !one.answer && one.not_before <= now;
  };
  const auto found = std::ranges::find_if(client.requests, waits);
  return found == client.requests.end() ? nullptr : &*found;
}

Request* RequestQueue::Next(MonoTime now) {
  Request* next = nullptr;
  std::uint64_t next_served = 0;
  for (auto& [id, client] : clients_) {
    Request* const first = FirstWaiting(client, now);
    if (first == nullptr) continue;
    if (next != nullptr && std::tie(next->due, next_served, next->seq) <=
                               std::tie(first->due, client.served, first->seq))
      continue;
    next = first;
    next_served = client.served;
  }
  return next;
}

void RequestQueue::Take(Request& request) {
  request.taken = true;
  clients_.at(request.utterance.client).served = ++taken_;
}

bool RequestQueue::Retry(Request& request, MonoTime now) {
  const Client& client = clients_.at(request.utterance.client);
  if (request.tries >= client.retry.tries) return false;
  request.not_before = now + client.retry.after * (1 << (request.tries - 1));
  request.due = request.not_before + DeadlineOffset(client.urgency);
  ++request.tries;
  request.taken = false;
  request.failed_tiers = 0;
  request.failed_at = {};
  request.why.clear();
  return true;
}

template <class Visit>
void RequestQueue::ForEach(Visit visit) const {
  for (const auto& [id, client] : clients_) {
    for (const Request& request : client.requests) visit(request);
  }
}

bool RequestQueue::Busy(MonoTime now) const {
  return size_ > Delayed(now);
}

std::optional<Request> RequestQueue::Remove(Client& client, std::list<Request>::iterator request) {
  std::optional<Request> removed(std::move(*request));
  client.requests.erase(request);
  --size_;
  return removed;
}

std::optional<Request> RequestQueue::PopAnswered() {
  for (auto& [id, client] : clients_) {
    for (auto it = client.requests.begin(); it != client.requests.end(); ++it) {
      if (it->answer) return Remove(client, it);
      if (it->tries == 1) break;
    }
  }
  return std::nullopt;
}

std::optional<Request> RequestQueue::Pop() {
  for (auto& [id, client] : clients_) {
    if (!client.requests.empty()) return Remove(client, client.requests.begin());
  }
  return std::nullopt;
}

std::size_t RequestQueue::Delayed(MonoTime now) const {
  std::size_t delayed = 0;
  ForEach([&](const Request& one) { delayed += !one.answer && one.not_before > now; });
  return delayed;
}

std::optional<MonoTime> RequestQueue::NextTry(MonoTime now) const {
  std::optional<MonoTime> next;
  ForEach([&](const Request& one) {
    if (!one.answer && one.not_before > now)
      next = std::min(next.value_or(one.not_before), one.not_before);
  });
  return next;
}

}  // namespace headroom::asr
