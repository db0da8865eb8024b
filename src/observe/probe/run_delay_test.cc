#include "observe/probe/run_delay.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "observe/testing/fixture.h"

namespace headroom::probe {
namespace {

using std::chrono::nanoseconds;

TEST(RunDelay, TheSecondOfThreeNumbers) {
  EXPECT_EQ(ParseRunDelay("169888451 242143953 415\n"), nanoseconds(242143953));
  for (const char* wrong : {"", "1", "1 ", "1 x 3", "1 -5 3", "1 99999999999999999999 3", "1 2"})
    EXPECT_FALSE(ParseRunDelay(wrong)) << wrong;
}

TEST(RunDelay, OfAllThreads) {
  const FakeRoot root({{"proc/7/task/7/schedstat", "5 1500000000 9\n"},
                       {"proc/7/task/8/schedstat", "5 250000000 9\n"},
                       {"proc/7/task/9/stat", "no such file there\n"}});
  EXPECT_EQ(RunDelay(7, root.path()), Milliseconds(1750));
  EXPECT_EQ(RunDelay(8, root.path()), Milliseconds(0));
  EXPECT_GE(RunDelay(::getpid()), Milliseconds(0));
}

}  // namespace
}  // namespace headroom::probe
