#include "observe/probe/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/child.h"
#include "observe/probe/kernel_text.h"
#include "observe/testing/fixture.h"

namespace headroom::probe {
namespace {

constexpr const char* kStatus =
    "Name:\tVmRSS: x\nGroups:\t1 2 3\nVmPeak:\t    3060 kB\nVmRSS:\t    1752 kB\n"
    "RssAnon:\t     112 kB\nRssFile:\t    1600 kB\nRssShmem:\t      40 kB\nVmSwap:\t 8 kB\n"
    "Threads:\t1\n";
constexpr const char* kRollup =
    "55b005507000-7ffc6cd2a000 ---p 00000000 00:00 0    [rollup]\nRss: 1760 kB\nPss: 236 kB\n"
    "Pss_Anon: 112 kB\nPss_Shmem: 20 kB\nAnonymous: 112 kB\nSwap: 8 kB\nSwapPss: 8 kB\n";

TEST(Status, Normal) {
  const auto status = ParseStatus(kStatus);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->rss, KiB(1752));
  EXPECT_EQ(status->counted(), KiB(112 + 40 + 8));
}

TEST(Status, ZombiesAndGarbageAreAbsent) {
  EXPECT_FALSE(ParseStatus("Name:\tx\nState:\tZ (zombie)\n"));
  EXPECT_FALSE(ParseStatus(""));
  EXPECT_FALSE(ParseStatus(std::string("\0\xff:\n::::", 8)));
  std::string huge = kStatus;
  huge.replace(huge.find("112"), 3, kHugeNumber);
  EXPECT_FALSE(ParseStatus(huge));
  const std::string text = kStatus;
  for (std::size_t n = 0; n < text.find("RssShmem"); ++n)
    EXPECT_FALSE(ParseStatus(text.substr(0, n)));
}

TEST(Rollup, Normal) {
  const auto rollup = ParseSmapsRollup(kRollup);
  ASSERT_TRUE(rollup);
  EXPECT_EQ(rollup->pss, KiB(236));
  EXPECT_EQ(rollup->pss_shmem, KiB(20));
  EXPECT_FALSE(ParseSmapsRollup(std::string_view(kRollup).substr(0, 90)));
}

TEST(Processes, ThoseThatCanBeRead) {
  const FakeRoot root(Files{{"proc/10/status", kStatus},
                            {"proc/10/smaps_rollup", kRollup},
                            {"proc/11/status", kStatus},
                            {"proc/12/status", "Name:\tzombie\n"}});
  ProcessReader reader(root.path());
  const std::vector<pid_t> pids = {12, 11, 13, 10};
  const auto processes = reader.Read(pids, true);
  ASSERT_EQ(processes.size(), 2u);
  EXPECT_EQ(processes[0].pid, 11);
  EXPECT_FALSE(processes[0].rollup);
  EXPECT_EQ(processes[1].pid, 10);
  EXPECT_EQ(processes[1].rollup->pss, KiB(236));
  EXPECT_FALSE(reader.Read(pids, false)[1].rollup);
}

TEST(Processes, OurselvesForReal) {
  const std::vector<pid_t> pids = {::getpid()};
  const auto processes = ProcessReader().Read(pids, true);
  ASSERT_EQ(processes.size(), 1u);
  EXPECT_GT(processes[0].status.anon, KiB(100));
  ASSERT_TRUE(processes[0].rollup);
  EXPECT_GT(processes[0].rollup->pss, Bytes(0));
}

TEST(Processes, OneThatEndsBetweenTwoReads) {
  auto child = Child::Spawn({.argv = {"sleep", "100"}, .fds = {}, .environment = {}});
  ASSERT_TRUE(child);
  ProcessReader reader;
  const std::vector<pid_t> pids = {child->pid(), ::getpid()};
  EXPECT_EQ(reader.Read(pids, true).size(), 2u);
  child->Kill();
  const auto left = reader.Read(pids, true);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].pid, ::getpid());
}

}  // namespace
}  // namespace headroom::probe
