#include "app/daemon/publisher.h"

#include <utility>

namespace headroom::app {

struct Publisher::Entry {
  EventSink call;
  int calls = 0;  // that are going on; guarded by the publisher's mutex
};

Publisher::Subscription& Publisher::Subscription::operator=(Subscription&& other) noexcept {
  End();
  publisher_ = other.publisher_;
  entry_ = std::move(other.entry_);
  return *this;
}

void Publisher::Subscription::End() {
  if (!entry_) return;
  const auto entry = std::exchange(entry_, nullptr);
  const MutexLock lock(publisher_->mutex_);
  std::erase(publisher_->entries_, entry);
  publisher_->changed_.Wait(publisher_->mutex_, [&] { return entry->calls == 0; });
}

Publisher::Subscription Publisher::Subscribe(EventSink subscriber) {
  auto entry = std::make_shared<Entry>(std::move(subscriber));
  const MutexLock lock(mutex_);
  entries_.push_back(entry);
  return {*this, std::move(entry)};
}

void Publisher::Publish(const Event& event) {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    const MutexLock lock(mutex_);
    entries = entries_;
    for (const auto& entry : entries) ++entry->calls;
  }
  for (const auto& entry : entries) {
    entry->call(event);
    {
      const MutexLock lock(mutex_);
      --entry->calls;
    }
    changed_.NotifyAll();
  }
}

}  // namespace headroom::app
