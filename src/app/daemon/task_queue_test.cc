#include "app/daemon/task_queue.h"

#include <gmock/gmock.h>

#include <memory>
#include <thread>
#include <vector>

namespace headroom::app {
namespace {

TEST(TaskQueue, RunsWhatWasPostedInOrder) {
  TaskQueue tasks;
  std::vector<int> ran;
  tasks.Post([&] { ran.push_back(1); });
  tasks.Post([&, owned = std::make_unique<int>(2)] {
    ran.push_back(*owned);
    tasks.Post([&] { ran.push_back(3); });
  });
  tasks.RunSome(Milliseconds(0));
  EXPECT_THAT(ran, ::testing::ElementsAre(1, 2));
  tasks.RunSome(Milliseconds(0));
  EXPECT_THAT(ran, ::testing::ElementsAre(1, 2, 3));
}

TEST(TaskQueue, AWakeEndsTheWait) {
  TaskQueue tasks;
  std::thread waker([&] { tasks.Wake(); });
  tasks.RunSome(std::chrono::hours(1));
  waker.join();
}

}  // namespace
}  // namespace headroom::app
