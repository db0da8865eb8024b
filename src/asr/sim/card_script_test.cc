#include "asr/sim/card_script.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace headroom::worker {
namespace {

using When = GpuEvent::When;
using What = GpuEvent::What;

TEST(CardScript, StatementsInBothForms) {
  const auto events = ParseCardScript(
      "# a busy card\n compute 40: neighbour 900MiB # a game starts\n"
      "after 2s: neighbour 0; allocation 3: fail;run 2: error 719\n"
      "compute 5: slow 20ms\nafter 1500ms: hang; run 1: die\n");
  ASSERT_TRUE(events) << events.error().what;
  ASSERT_EQ(events->size(), 7u);
  const auto is = [&](std::size_t i, When when, std::int64_t at, What what, std::int64_t amount) {
    const GpuEvent& event = (*events)[i];
    return event.when == when && event.at == at && event.what == what && event.amount == amount;
  };
  EXPECT_TRUE(is(0, When::kCompute, 40, What::kNeighbour, MiB(900).n));
  EXPECT_TRUE(is(1, When::kAfter, 2000, What::kNeighbour, 0));
  EXPECT_TRUE(is(2, When::kAllocation, 3, What::kFail, 0));
  EXPECT_TRUE(is(3, When::kRun, 2, What::kError, 719));
  EXPECT_TRUE(is(4, When::kCompute, 5, What::kSlow, 20));
  EXPECT_TRUE(is(5, When::kAfter, 1500, What::kHang, 0));
  EXPECT_TRUE(is(6, When::kRun, 1, What::kDie, 0));
  EXPECT_TRUE(ParseCardScript("")->empty());
}

TEST(CardScript, NonsenseIsNamed) {
  for (const char* bad :
       {"hang", "compute: hang", "compute 0: hang", "compute x: hang", "compute 1: fail",
        "run 1: error 3", "after 5: hang", "compute 1: neighbour much", "compute 1: slow 5",
        "compute -1: die", "compute 1 2: die", "sometimes 1: die", "after 99999999999s: die"}) {
    const auto events = ParseCardScript(std::string("run 1: hang\n") + bad);
    ASSERT_FALSE(events) << bad;
    EXPECT_EQ(events.error().code, Errc::kInvalid);
    EXPECT_NE(events.error().what.find(bad), std::string::npos) << events.error().what;
  }
}

}  // namespace
}  // namespace headroom::worker
