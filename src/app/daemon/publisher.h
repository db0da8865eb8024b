// What happens in the service, to everybody who subscribed.
#pragma once

#include <memory>
#include <vector>

#include "app/dictation/events.h"
#include "base/mutex.h"

namespace headroom::app {

/// Any thread. No lock is held while a subscriber is called, so subscribers may be called by
/// several threads at once, and may ask anything of the service.
class Publisher {
  struct Entry;

 public:
  /// Destroyed: the subscriber is not called any more, and no call of it is going on. Not from
  /// within a call. Must not outlive the publisher.
  class [[nodiscard]] Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription() { End(); }

   private:
    friend class Publisher;
    Subscription(Publisher& publisher, std::shared_ptr<Entry> entry)
        : publisher_(&publisher), entry_(std::move(entry)) {}
    void End();
    Publisher* publisher_ = nullptr;
    std::shared_ptr<Entry> entry_;
  };

  /// It must return soon.
  Subscription Subscribe(EventSink subscriber) EXCLUDES(mutex_);
  void Publish(const Event& event) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<Entry>> entries_ GUARDED_BY(mutex_);
};

}  // namespace headroom::app
