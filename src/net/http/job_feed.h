// What the job of a recording says on its own threads, until the server's thread takes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mutex.h"
#include "net/server/speech_service.h"

namespace headroom::net {

class JobFeed {
 public:
  struct Taken {
    std::vector<speech::Segment> segments;
    std::optional<Result<JobEvents::Outcome>> end;
  };
  /// `limit`: of text that waits; beyond it the end is an error. `on_news` is called on the job's
  /// threads, once for each Take: it must not block nor call this.
  JobFeed(Bytes limit, std::function<void()> on_news)
      : limit_(limit), on_news_(std::move(on_news)) {}

  /// Events for the job; they keep the feed alive.
  static JobEvents EventsInto(const std::shared_ptr<JobFeed>& feed);
  /// All since the last one.
  Taken Take() EXCLUDES(mutex_);

 private:
  void Add(const speech::Segment& segment) EXCLUDES(mutex_);
  void End(Result<JobEvents::Outcome> outcome) EXCLUDES(mutex_);

  const Bytes limit_;
  const std::function<void()> on_news_;
  Mutex mutex_;
  Taken waiting_ GUARDED_BY(mutex_);
  std::int64_t bytes_ GUARDED_BY(mutex_) = 0;
  bool notified_ GUARDED_BY(mutex_) = false;  // since the last Take
};

}  // namespace headroom::net
