#include "memory/plan.h"

#include <gtest/gtest.h>

namespace headroom::memory {
namespace {

using std::chrono::seconds;

Plan Canary() {
  Plan plan;
  plan.model = "canary-1b-flash";
  plan.quantisation = "Q8_0";
  plan.device = "CUDA0";
  plan.weights = MiB(1000);
  plan.kv = MiB(20);
  plan.driver = MiB(240);
  plan.margin = MiB(10);
  plan.host = MiB(400);
  plan.workspace = {{seconds(5), MiB(50)}, {seconds(11), MiB(110)}, {seconds(30), MiB(300)}};
  plan.exact = true;
  return plan;
}

TEST(Plan, ResidentIsEverythingOnTheDeviceButTheWorkspace) {
  EXPECT_EQ(Canary().Resident(), MiB(1270));
  EXPECT_EQ(Canary().Peak(seconds(30)).bytes, MiB(1570));
  EXPECT_EQ(Canary().HostPeak(seconds(30)), MiB(400));
  EXPECT_EQ(Canary().Title(), "canary-1b-flash Q8_0 on CUDA0");
}

TEST(Plan, WhereTheDeviceHasNoMemoryOfItsOwnTheHostBytesCount) {
  for (const DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kUnified}) {
    Plan plan = Canary();
    plan.kind = kind;
    EXPECT_EQ(plan.Resident(), MiB(1670));
    EXPECT_EQ(plan.HostPeak(seconds(5)), MiB(1720));
  }
}

TEST(Plan, TheNextLargerCountedChunkCounts) {
  const Plan plan = Canary();
  for (const auto& [chunk, mib] :
       {std::pair(1, 50), {5, 50}, {6, 110}, {11, 110}, {12, 300}, {30, 300}}) {
    EXPECT_EQ(plan.WorkspaceFor(seconds(chunk)).bytes, MiB(mib)) << chunk;
    EXPECT_FALSE(plan.WorkspaceFor(seconds(chunk)).extrapolated) << chunk;
  }
}

TEST(Plan, BeyondTheTableAStraightLineThatSaysSo) {
  Plan plan = Canary();
  EXPECT_EQ(plan.WorkspaceFor(seconds(49)).bytes, MiB(490));
  EXPECT_TRUE(plan.WorkspaceFor(seconds(49)).extrapolated);
  EXPECT_TRUE(plan.Peak(seconds(49)).extrapolated);
  plan.workspace = {{seconds(10), MiB(100)}};
  EXPECT_EQ(plan.WorkspaceFor(seconds(30)).bytes, MiB(300));
  plan.workspace = {{seconds(10), MiB(100)}, {seconds(30), MiB(100)}};
  EXPECT_EQ(plan.WorkspaceFor(seconds(300)).bytes, MiB(100));
  EXPECT_LE(plan.WorkspaceFor(Milliseconds::max()).bytes, Bytes(std::int64_t{1} << 50));
  plan.workspace.clear();
  EXPECT_TRUE(plan.WorkspaceFor(seconds(1)).extrapolated);
}

TEST(Plan, NonsenseIsRefused) {
  EXPECT_TRUE(Validate(Canary()));
  const auto refused = [](auto change) {
    Plan plan = Canary();
    change(plan);
    return !Validate(plan);
  };
  EXPECT_TRUE(refused([](Plan& p) { p.weights = Bytes(-1); }));
  EXPECT_TRUE(refused([](Plan& p) { p.host = Bytes(std::int64_t{1} << 51); }));
  EXPECT_TRUE(refused([](Plan& p) { p.workspace.clear(); }));
  EXPECT_TRUE(refused([](Plan& p) { p.workspace[0].chunk = seconds(0); }));
  EXPECT_TRUE(refused([](Plan& p) { p.workspace[1].chunk = seconds(5); }));
  EXPECT_TRUE(refused([](Plan& p) { p.workspace[2].bytes = MiB(100); }));
}

}  // namespace
}  // namespace headroom::memory
