#include "memory/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headroom::memory {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// A GPU of 1000 MiB makes percentages readable.
Room Gpu(std::int64_t others = 0) {
  return {.total = MiB(1000), .others = MiB(others), .host = {}};
}

Plan Of(std::int64_t weights, std::int64_t workspace = 0, const char* quantisation = "Q8_0") {
  Plan plan;
  plan.model = "m";
  plan.quantisation = quantisation;
  plan.weights = MiB(weights);
  plan.workspace = {{seconds(8), MiB(workspace / 4)},
                    {seconds(15), MiB(workspace / 2)},
                    {seconds(30), MiB(workspace)}};
  plan.exact = true;
  return plan;
}

TEST(Fit, TheRules) {
  const struct {
    std::int64_t weights, workspace, others;
    Fit fit;
  } kRows[] = {
      {700, 0, 0, Fit::kSafe},       {701, 0, 0, Fit::kMarginal},   {800, 0, 0, Fit::kMarginal},
      {801, 0, 0, Fit::kUnsafe},     {700, 150, 0, Fit::kSafe},     {700, 151, 0, Fit::kUnsafe},
      {800, 50, 0, Fit::kMarginal},  {800, 51, 0, Fit::kUnsafe},    {400, 0, 300, Fit::kSafe},
      {400, 0, 301, Fit::kMarginal}, {400, 150, 301, Fit::kUnsafe}, {400, 0, 900, Fit::kUnsafe},
  };
  for (const auto& row : kRows)
    EXPECT_EQ(Measure(Of(row.weights, row.workspace), seconds(30), Gpu(row.others)).fit, row.fit)
        << row.weights << " " << row.workspace << " " << row.others;
  EXPECT_EQ(Measure(Of(600), seconds(30), Gpu(), {}, MiB(250)).fit, Fit::kUnsafe);
  EXPECT_EQ(Measure(Of(0), seconds(30), Room{}).fit, Fit::kUnsafe);
}

TEST(Fit, TheArithmeticIsReadable) {
  Plan plan = Of(0);
  plan.weights = Bytes(1047108813);  // 998.6 MiB
  plan.kv = MiB(72);
  plan.driver = MiB(240);
  plan.workspace = {{seconds(30), MiB(301)}};
  const Room room{.total = MiB(4096), .others = {}, .host = {}};
  EXPECT_EQ(
      Judge(plan, seconds(30), room).text,
      "SAFE: 998.6 MiB weights + 72 KV + 240 driver = 1310.6 MiB = 32 % of 4096 MiB; with 301 "
      "MiB workspace for 30 s 39 % <= 85 %");
}

TEST(Fit, TheIncidentsModelIsUnsafe) {
  Plan plan = Of(3600);
  plan.exact = false;
  const FitResult fit =
      Judge(plan, seconds(30), {.total = MiB(4096), .others = MiB(140), .host = {}});
  EXPECT_EQ(fit.fit, Fit::kUnsafe);
  EXPECT_EQ(
      fit.text,
      "UNSAFE: 3600 MiB weights + 140 others = 3740 MiB = 91 % of 4096 MiB > 80 %; with 0 MiB "
      "workspace for 30 s 91 % > 85 %; estimated");
}

TEST(Fit, TextNeverRoundsAcrossItsThreshold) {
  EXPECT_THAT(Judge(Of(800, 51), seconds(30), Gpu()).text, HasSubstr("85.10 % > 85 %"));
  EXPECT_THAT(Judge(Of(60, 10), seconds(60), Gpu()).text, HasSubstr("extrapolated"));
  EXPECT_THAT(Judge(Of(60), seconds(30), Room{}).text, HasSubstr("not known"));
}

TEST(Fit, HostMemoryCountsToo) {
  Plan plan = Of(100);
  plan.host = MiB(71);
  Room room = Gpu();
  room.host = MiB(100);
  const FitResult fit = Judge(plan, seconds(30), room);
  EXPECT_EQ(fit.fit, Fit::kUnsafe);
  EXPECT_THAT(fit.text, HasSubstr("71 MiB of host memory > 70 % of 100 MiB available"));
}

TEST(Fit, CpuAndUnifiedAreJudgedAgainstWhatIsAvailable) {
  EXPECT_EQ(HostRoom(MiB(500), MiB(300)).total, MiB(800));
  EXPECT_EQ(HostRoom(MiB(500), MiB(300), MiB(100)).total, MiB(400));
  EXPECT_EQ(HostRoom(MiB(500), MiB(0), MiB(-5)).total, MiB(0));
  for (const DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kUnified}) {
    Plan plan = Of(100);
    plan.kind = kind;
    plan.host = MiB(250);
    EXPECT_EQ(Measure(plan, seconds(30), HostRoom(MiB(500), MiB(0))).fit, Fit::kSafe);
    EXPECT_EQ(Measure(plan, seconds(30), HostRoom(MiB(499), MiB(0))).fit, Fit::kMarginal);
    EXPECT_THAT(Judge(plan, seconds(30), HostRoom(MiB(500), MiB(0))).text,
                HasSubstr("+ 250 host = 350 MiB = 70 % of 500 MiB available"));
  }
}

TEST(Advise, ShorterChunkThenSmallerThenAnotherModel) {
  const Option asked{Of(790, 200, "F16"), Gpu()};
  Plan other = Of(100);
  other.model = "n";
  const std::vector<Option> options = {{other, Gpu()},
                                       {Of(300, 0, "Q4_K_M"), Gpu()},
                                       {Of(500, 0, "Q8_0"), Gpu()},
                                       {Of(900, 0, "F32"), Gpu()}};
  const auto advice = Advise(asked, options);
  ASSERT_EQ(advice.size(), 4u);
  EXPECT_EQ(advice[0].way, Way::kShorterChunk);
  EXPECT_EQ(advice[0].chunk, seconds(8));
  EXPECT_THAT(advice[0].text, HasSubstr("at most 8 s at once (MARGINAL: 790 MiB weights"));
  EXPECT_EQ(advice[1].way, Way::kSmallerQuantisation);
  EXPECT_EQ(advice[1].option, 2u);
  EXPECT_EQ(advice[2].option, 1u);
  EXPECT_EQ(advice[3].way, Way::kOtherModel);
  EXPECT_EQ(advice[3].option, 0u);
}

TEST(Advise, AsAskedOrNothing) {
  EXPECT_EQ(Advise({Of(100, 100), Gpu()}, {}).front().way, Way::kAsAsked);
  EXPECT_TRUE(Advise({Of(900), Gpu()}, {}).empty());
  EXPECT_TRUE(Advise({Of(100), Gpu(790)}, {}).empty());
}

}  // namespace
}  // namespace headroom::memory
