#include "asr/planner/gpu.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/dirs.h"
#include "base/file.h"

namespace headroom::planner {
namespace {

namespace fs = std::filesystem;

class Fixed : public probe::DeviceSource {
 public:
  explicit Fixed(std::vector<probe::Device> devices) : devices_(std::move(devices)) {}
  probe::DeviceReport Ask(std::span<const pid_t>, bool) override {
    ++asked;
    probe::DeviceReport report;
    // Loading a driver takes longer than one deadline.
    report.state = asked < 3 ? probe::ProbeState::kLate : probe::ProbeState::kFresh;
    if (report.state == probe::ProbeState::kFresh) report.devices = devices_;
    return report;
  }
  int asked = 0;

 private:
  std::vector<probe::Device> devices_;
};

probe::Device Device(const char* pci, const char* driver, probe::DeviceKind kind) {
  probe::Device device;
  device.pci = pci;
  device.driver = driver;
  device.kind = kind;
  device.total = MiB(4096);
  return device;
}

class FindGpuTest : public testing::Test {
 protected:
  FindGpuTest()
      : folder_(fs::path(testing::TempDir()) / fmt::format("headroom-card-{}", ::getpid())),
        before_(Environment("HEADROOM_LIBEXEC")) {
    fs::create_directories(folder_);
    ::setenv("HEADROOM_LIBEXEC", folder_.c_str(), 1);
  }
  ~FindGpuTest() override {
    ::setenv("HEADROOM_LIBEXEC", before_.c_str(), 1);
    fs::remove_all(folder_);
  }
  void Install(const char* program) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / program, "#!/bin/sh\n", 0700));
  }

  fs::path folder_;
  std::string before_;
  Fixed devices_{{Device("0000:00:02.0", "amdgpu", probe::DeviceKind::kUnified),
                  Device("0000:01:00.0", "550.1", probe::DeviceKind::kDiscrete)}};
};

TEST_F(FindGpuTest, AsksNoDriverWithoutAWorkerProgram) {
  EXPECT_FALSE(FindGpu(devices_, Milliseconds(5000)));
  EXPECT_EQ(devices_.asked, 0);
}

TEST_F(FindGpuTest, PrefersTheDiscreteGpuAndItsWorker) {
  Install("headroom-worker-cuda");
  Install("headroom-worker-vulkan");
  const auto gpu = FindGpu(devices_, Milliseconds(60'000));
  ASSERT_TRUE(gpu);
  EXPECT_EQ(gpu->device, "0000:01:00.0");
  EXPECT_EQ(gpu->worker, "headroom-worker-cuda");
  EXPECT_EQ(gpu->total, MiB(4096));
}

TEST_F(FindGpuTest, TakesOnlyTheNamedGpu) {
  Install("headroom-worker-vulkan");
  const auto named = FindGpu(devices_, Milliseconds(60'000), "0000:00:02.0");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->device, "0000:00:02.0");
  EXPECT_FALSE(FindGpu(devices_, Milliseconds(60'000), "0000:09:00.0"));
}

TEST_F(FindGpuTest, DoesNotUseCudaForAnAmdGpu) {
  Install("headroom-worker-cuda");
  Fixed amd({Device("0000:03:00.0", "amdgpu", probe::DeviceKind::kDiscrete)});
  EXPECT_FALSE(FindGpu(amd, Milliseconds(60'000)));
  Install("headroom-worker-vulkan");
  const auto gpu = FindGpu(amd, Milliseconds(60'000));
  ASSERT_TRUE(gpu);
  EXPECT_EQ(gpu->worker, "headroom-worker-vulkan");
}

}  // namespace
}  // namespace headroom::planner
