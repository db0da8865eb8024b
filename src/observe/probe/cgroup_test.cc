#include "observe/probe/cgroup.h"

#include <gtest/gtest.h>

#include "observe/testing/fixture.h"

namespace headroom::probe {
namespace {

const std::string kMount = "sys/fs/cgroup/";

Files Group(const std::string& path, const std::string& current, const std::string& high,
            const std::string& max) {
  return {{kMount + path + "/memory.current", current + "\n"},
          {kMount + path + "/memory.high", high + "\n"},
          {kMount + path + "/memory.max", max + "\n"}};
}

TEST(CgroupPath, OnlyTheUnifiedHierarchy) {
  EXPECT_EQ(ParseCgroupPath("4:memory:/v1\n0::/user.slice/a.service\n"), "/user.slice/a.service");
  EXPECT_EQ(ParseCgroupPath("0::/\n"), "/");
  EXPECT_FALSE(ParseCgroupPath("4:memory:/v1\n"));
  EXPECT_FALSE(ParseCgroupPath("0::/../../etc\n"));
  EXPECT_FALSE(ParseCgroupPath("0::relative\n"));
  EXPECT_FALSE(ParseCgroupPath(std::string_view("0::/a\0b\n", 8)));
  EXPECT_FALSE(ParseCgroupPath(""));
}

TEST(Cgroup, TheSmallestLimitOnTheWayCounts) {
  FakeRoot root(Files{{"proc/self/cgroup", "0::/user.slice/app.slice/us.scope\n"}});
  root.Write(Group("user.slice/app.slice/us.scope", "1000", "max", "8000"));
  root.Write(Group("user.slice/app.slice", "5500", "6000", "max"));
  root.Write(Group("user.slice", "5600", "max", "7000"));
  const auto us = kMount + "user.slice/app.slice/us.scope/";
  root.Write({{us + "memory.swap.current", "12\n"},
              {us + "memory.swap.max", "max\n"},
              {us + "memory.events", "low 0\nhigh 3\nmax 2\noom 1\noom_kill 1\nnew 7\n"},
              {us + "memory.pressure", "some avg10=2.00 avg60=0.00 avg300=0.00 total=5\n"}});
  const auto memory = CgroupReader(root.path()).Read();
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->current, Bytes(1000));
  EXPECT_FALSE(memory->high);
  EXPECT_EQ(memory->max, Bytes(8000));
  EXPECT_EQ(memory->effective_high, Bytes(6000));
  EXPECT_EQ(memory->effective_max, Bytes(7000));
  EXPECT_EQ(memory->room, Bytes(500)) << "6000 of app.slice less what others use there";
  EXPECT_EQ(memory->swap_current, Bytes(12));
  EXPECT_FALSE(memory->swap_max);
  EXPECT_EQ(memory->events->high, 3);
  EXPECT_EQ(memory->events->oom_kill, 1);
  EXPECT_DOUBLE_EQ(memory->pressure->some.avg10, 2);
}

TEST(Cgroup, NoLimitAnywhere) {
  FakeRoot root(Files{{"proc/self/cgroup", "0::/us\n"}});
  root.Write(Group("us", "1000", "max", "max"));
  const auto memory = CgroupReader(root.path()).Read();
  ASSERT_TRUE(memory);
  EXPECT_FALSE(memory->effective_high);
  EXPECT_FALSE(memory->effective_max);
  EXPECT_FALSE(memory->room);
  EXPECT_FALSE(memory->events);
  EXPECT_FALSE(memory->pressure);
}

TEST(Cgroup, InANamespaceTheTopGroupHasLimits) {
  FakeRoot root(Files{{"proc/self/cgroup", "0::/\n"}});
  root.Write(Group("", "1500", "max", "1000"));
  const auto memory = CgroupReader(root.path()).Read();
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->max, Bytes(1000));
  EXPECT_EQ(memory->room, Bytes(0)) << "exceeded, not negative";
}

TEST(Cgroup, FollowsAMoveAndChangingLimits) {
  FakeRoot root(Files{{"proc/self/cgroup", "0::/a\n"}});
  root.Write(Group("a", "1", "max", "100"));
  root.Write(Group("b", "2", "max", "200"));
  CgroupReader reader(root.path());
  EXPECT_EQ(reader.Read()->max, Bytes(100));
  root.Write({{kMount + "a/memory.max", "150\n"}});
  EXPECT_EQ(reader.Read()->max, Bytes(150));
  root.Write({{"proc/self/cgroup", "0::/b\n"}});
  EXPECT_EQ(reader.Read()->max, Bytes(200));
}

TEST(Cgroup, BesideVersionOne) {
  const FakeRoot root(Files{{"proc/self/cgroup", "4:memory:/x\n0::/us\n"},
                            {"sys/fs/cgroup/unified/us/memory.current", "5\n"}});
  ASSERT_TRUE(CgroupReader(root.path()).Read());
  const FakeRoot without(Files{{"proc/self/cgroup", "4:memory:/x\n0::/us\n"},
                               {"sys/fs/cgroup/unified/us/cgroup.procs", "5\n"}});
  EXPECT_FALSE(CgroupReader(without.path()).Read());
}

TEST(Cgroup, GarbageIsAbsent) {
  FakeRoot root(Files{{"proc/self/cgroup", "0::/us\n"}});
  root.Write(Group("us", "1000", "-5", kHugeNumber));
  root.Write({{kMount + "us/memory.events", "high\n\xff\xff 3\n"}});
  const auto memory = CgroupReader(root.path()).Read();
  ASSERT_TRUE(memory);
  EXPECT_FALSE(memory->high);
  EXPECT_FALSE(memory->max);
  root.Write({{kMount + "us/memory.current", "lots\n"}});
  EXPECT_FALSE(CgroupReader(root.path()).Read());
  EXPECT_FALSE(CgroupReader(root / "nowhere").Read());
}

}  // namespace
}  // namespace headroom::probe
