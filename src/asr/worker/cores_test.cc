#include "asr/worker/cores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <string>

#include "base/testing/temp_folder.h"

namespace headroom::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class CoresTest : public testing::Test {
 protected:
  void Write(int cpu, const std::string& name, const std::string& text) {
    const fs::path path = root_ / ("cpu" + std::to_string(cpu)) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  /// So many cores of one kind, hyper-threads last: their CPUs are numbered from the next free one.
  void Add(int cores, const std::string& file, int speed, int threads = 1) {
    for (int core = 0; core < cores; ++core) {
      std::string siblings;
      for (int t = 0; t < threads; ++t) siblings += (t == 0 ? "" : ",") + std::to_string(next_ + t);
      for (int t = 0; t < threads; ++t, ++next_) {
        Write(next_, "topology/thread_siblings_list", siblings);
        if (!file.empty()) Write(next_, file, std::to_string(speed));
      }
    }
  }
  Cores Choose() const {
    std::vector<int> all(static_cast<std::size_t>(next_));
    std::iota(all.begin(), all.end(), 0);
    return ChooseCores(all, root_);
  }

  const TempFolder root_;
  int next_ = 0;
};

TEST_F(CoresTest, AllOfOneKindButNoHyperThreads) {
  Add(4, "", 0, 2);
  const Cores cores = Choose();
  EXPECT_EQ(cores.count, 4);
  EXPECT_THAT(cores.cpus, SizeIs(8));
}

TEST_F(CoresTest, SlowCoresThatWouldHoldTheFastOnesUpAreLeftOut) {
  Add(4, "cpu_capacity", 250);  // a telephone's chip: the small ones come first
  Add(4, "cpu_capacity", 1024);
  const Cores cores = Choose();
  EXPECT_EQ(cores.count, 4);
  EXPECT_THAT(cores.cpus, ElementsAre(4, 5, 6, 7));
}

TEST_F(CoresTest, ManySlowCoresBesideFewFastOnesAreWorthIt) {
  Add(2, "cpu_capacity", 1024, 2);
  Add(8, "cpu_capacity", 600);
  EXPECT_EQ(Choose().count, 10);
}

TEST_F(CoresTest, AFavouredCoreIsNoKindOfItsOwn) {
  Add(2, "cpufreq/cpuinfo_max_freq", 5'300'000);
  Add(6, "cpufreq/cpuinfo_max_freq", 5'100'000);
  EXPECT_EQ(Choose().count, 8);
}

TEST_F(CoresTest, ThreeKinds) {
  Add(1, "cpu_capacity", 1024);
  Add(3, "cpu_capacity", 900);
  Add(4, "cpu_capacity", 300);
  EXPECT_EQ(Choose().count, 4);
}

TEST_F(CoresTest, AtMostSixteen) {
  Add(64, "", 0);
  EXPECT_EQ(Choose().count, 16);
}

TEST_F(CoresTest, WithoutAnyKnowledgeEachCpuIsACore) {
  const std::vector<int> two = {3, 7};
  EXPECT_EQ(ChooseCores(two, root_ / "none").count, 2);
  EXPECT_EQ(ChooseCores({}, root_ / "none").count, 1);
}

TEST_F(CoresTest, NonsenseInAFileCountsAsUnknown) {
  Add(2, "", 0);
  Write(0, "cpu_capacity", "fast");
  Write(1, "cpu_capacity", "-3");
  EXPECT_EQ(Choose().count, 2);
}

}  // namespace
}  // namespace headroom::worker
