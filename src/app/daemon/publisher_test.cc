#include "app/daemon/publisher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace headroom::app {
namespace {

const Event kEvent = net::Notice{"hello"};

TEST(Publisher, ReachesEverySubscriberUntilItsSubscriptionEnds) {
  Publisher publisher;
  int first = 0, second = 0;
  auto one = publisher.Subscribe([&](const Event&) { ++first; });
  {
    const auto two = publisher.Subscribe([&](const Event&) { ++second; });
    publisher.Publish(kEvent);
  }
  publisher.Publish(kEvent);
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
  one = {};
  publisher.Publish(kEvent);
  EXPECT_EQ(first, 2);
}

TEST(Publisher, ASubscriberMayPublishAndSubscribe) {
  Publisher publisher;
  int seen = 0;
  Publisher::Subscription more;
  const auto one = publisher.Subscribe([&](const Event&) {
    if (++seen > 1) return;
    more = publisher.Subscribe([&](const Event&) { ++seen; });
    publisher.Publish(kEvent);
  });
  publisher.Publish(kEvent);
  EXPECT_EQ(seen, 3);
}

TEST(Publisher, TheEndOfASubscriptionWaitsForACallThatIsGoingOn) {
  Publisher publisher;
  std::latch in_call(1), go_on(1);
  std::atomic<bool> returned = false;
  auto subscription = publisher.Subscribe([&](const Event&) {
    in_call.count_down();
    go_on.wait();
    returned = true;
  });
  std::thread publishing([&] { publisher.Publish(kEvent); });
  in_call.wait();
  std::thread releasing([&] { go_on.count_down(); });
  subscription = {};
  EXPECT_TRUE(returned);
  publishing.join();
  releasing.join();
}

}  // namespace
}  // namespace headroom::app
