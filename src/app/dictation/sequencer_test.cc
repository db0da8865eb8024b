#include "app/dictation/sequencer.h"

#include <gmock/gmock.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

namespace headroom::app {
namespace {

using ::testing::ElementsAre;

TEST(Sequencer, HandsOverInOrder) {
  std::vector<int> seen;
  Sequencer<int> sequencer([&](int value) { seen.push_back(value); });
  sequencer.Push(1);
  sequencer.Push(2);
  EXPECT_TRUE(seen.empty()) << "Push calls nothing";
  sequencer.Run();
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

TEST(Sequencer, AConsumerMayPushAndRun) {
  std::vector<int> seen;
  Sequencer<int>* self = nullptr;
  Sequencer<int> sequencer([&](int value) {
    if (value == 1) {
      self->Push(3);
      self->Flush();
    }
    seen.push_back(value);
  });
  self = &sequencer;
  sequencer.Push(1);
  sequencer.Push(2);
  sequencer.Run();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST(Sequencer, RunDoesNotWaitForAnotherThreadAndFlushDoes) {
  std::latch in_consumer(1), go_on(1);
  std::vector<int> seen;
  Sequencer<int> sequencer([&](int value) {
    if (value == 1) {
      in_consumer.count_down();
      go_on.wait();
    }
    seen.push_back(value);
  });
  sequencer.Push(1);
  std::thread first([&] { sequencer.Run(); });
  in_consumer.wait();
  sequencer.Push(2);
  sequencer.Run();  // returns although the consumer is in use
  go_on.count_down();
  sequencer.Flush();
  EXPECT_THAT(seen, ElementsAre(1, 2));
  first.join();
}

}  // namespace
}  // namespace headroom::app
