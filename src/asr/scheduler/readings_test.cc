#include "asr/scheduler/readings.h"

#include <gtest/gtest.h>

namespace headroom::asr {
namespace {

// One GPU in the state that the test gives it.
class OneGpu : public probe::DeviceSource {
 public:
  explicit OneGpu(probe::DeviceReport& report) : report_(report) {}
  probe::DeviceReport Ask(std::span<const pid_t>, bool) override { return report_; }

 private:
  probe::DeviceReport& report_;
};

struct ReadingsTest : testing::Test {
  ReadingsTest() {
    report.state = probe::ProbeState::kFresh;
    Be(probe::DeviceState::kActive);
  }
  void Be(probe::DeviceState state) {
    probe::Device gpu;
    gpu.pci = "0000:01:00.0";
    gpu.state = state;
    if (state == probe::DeviceState::kActive) {
      gpu.total = MiB(4096);
      gpu.used = MiB(1024);
    }
    report.devices = {gpu};
  }
  memory::Sample Take(bool idle) { return readings.Take({}, idle, SystemClock().Now()); }

  probe::DeviceReport report;
  ProbeReadings readings{{}, std::make_unique<OneGpu>(report), SystemClock()};
};

TEST_F(ReadingsTest, AnAwakeGpuIsMeasured) {
  const memory::Sample seen = Take(true);
  EXPECT_EQ(seen.vram_total, MiB(4096));
  EXPECT_EQ(seen.vram_used, MiB(1024));
  EXPECT_EQ(seen.vram_others, MiB(1024));
  EXPECT_EQ(seen.vram_ours, Bytes(0));
  EXPECT_FALSE(seen.gpu_rests);
}

TEST_F(ReadingsTest, ARestingGpuHasNoNumbersAndThatIsSaid) {
  Take(false);
  Be(probe::DeviceState::kResting);
  const memory::Sample seen = Take(true);
  EXPECT_EQ(seen.vram_used, std::nullopt) << "it was not measured";
  EXPECT_EQ(seen.vram_others, std::nullopt);
  EXPECT_EQ(seen.vram_ours, std::nullopt);
  EXPECT_EQ(seen.vram_total, std::nullopt);
  EXPECT_TRUE(seen.gpu_rests);
}

TEST_F(ReadingsTest, AGpuThatRestsWhileItIsNeededIsSilent) {
  Take(false);
  Be(probe::DeviceState::kResting);
  EXPECT_FALSE(Take(false).gpu_rests);
  report.state = probe::ProbeState::kLate;
  const memory::Sample seen = Take(true);
  EXPECT_FALSE(seen.gpu_rests);
  EXPECT_EQ(seen.vram_used, std::nullopt);
}

TEST_F(ReadingsTest, ASleepingGpuIsEmpty) {
  Be(probe::DeviceState::kSuspended);
  EXPECT_EQ(Take(true).vram_total, std::nullopt) << "its size is not known yet";
  Be(probe::DeviceState::kActive);
  Take(true);
  Be(probe::DeviceState::kSuspended);
  const memory::Sample seen = Take(false);
  EXPECT_EQ(seen.vram_total, MiB(4096));
  EXPECT_EQ(seen.vram_used, Bytes(0));
  EXPECT_EQ(seen.vram_others, Bytes(0));
  EXPECT_FALSE(seen.gpu_rests);
}

}  // namespace
}  // namespace headroom::asr
