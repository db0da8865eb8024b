#include "net/http/job_feed.h"

#include <utility>

namespace headroom::net {

JobEvents JobFeed::EventsInto(const std::shared_ptr<JobFeed>& feed) {
  JobEvents events;
  events.on_segment = [feed](const speech::Segment& segment) {
    const std::lock_guard guard(feed->mutex_);
    if (feed->bytes_ > feed->limit_.n) return;  // the answer will say so
    feed->bytes_ += 100 + static_cast<std::int64_t>(segment.text.size() * 3);
    feed->waiting_.segments.push_back(segment);
    feed->Tell();
  };
  events.on_end = [feed](Result<JobEvents::Outcome> outcome) {
    const std::lock_guard guard(feed->mutex_);
    feed->waiting_.end = std::move(outcome);
    feed->Tell();
  };
  return events;
}

void JobFeed::Tell() {
  if (!std::exchange(told_, true)) on_news_();
}

JobFeed::Taken JobFeed::Take() {
  const std::lock_guard guard(mutex_);
  told_ = false;
  Taken taken = std::exchange(waiting_, {});
  if (std::exchange(bytes_, 0) > limit_.n)
    taken.end = Fail(Errc::kUnsupported, "the text is longer than one answer may be");
  return taken;
}

}  // namespace headroom::net
