#include "net/http/job_feed.h"

#include <utility>

namespace headroom::net {

JobEvents JobFeed::EventsInto(const std::shared_ptr<JobFeed>& feed) {
  return {.on_segment = [feed](const speech::Segment& segment) { feed->Add(segment); },
          .on_end = [feed](Result<JobEvents::Outcome> outcome) { feed->End(std::move(outcome)); }};
}

void JobFeed::Add(const speech::Segment& segment) {
  {
    const MutexLock lock(mutex_);
    if (bytes_ > limit_.n) return;  // the answer will say so
    bytes_ += 100 + static_cast<std::int64_t>(segment.text.size() * 3);
    waiting_.segments.push_back(segment);
    if (std::exchange(notified_, true)) return;
  }
  on_news_();
}

void JobFeed::End(Result<JobEvents::Outcome> outcome) {
  {
    const MutexLock lock(mutex_);
    waiting_.end = std::move(outcome);
    if (std::exchange(notified_, true)) return;
  }
  on_news_();
}

JobFeed::Taken JobFeed::Take() {
  const MutexLock lock(mutex_);
  notified_ = false;
  Taken taken = std::exchange(waiting_, {});
  if (std::exchange(bytes_, 0) > limit_.n)
    taken.end = Fail(Errc::kUnsupported, "the text is longer than one answer may be");
  return taken;
}

}  // namespace headroom::net
