#include "asr/planner/calibration.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "models/formats/skeleton.h"

namespace headroom::planner {
namespace {

namespace fs = std::filesystem;

class CalibrationTest : public testing::Test {
 protected:
  CalibrationTest()
      : folder_(fs::path(testing::TempDir()) / fmt::format("headroom-calibrate-{}", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~CalibrationTest() override { fs::remove_all(folder_); }

  Calibration Some() {
    return {.key = {"0000:01:00.0", "550.54", "headroom-worker-cuda"},
            .profile = "{\"alignment\": 128}",
            .model = "canary.gguf",
            .chunk = Milliseconds(30'000),
            .context = MiB(200),
            .growth = MiB(12),
            .of_gpu = true,
            .buffers = MiB(1200),
            .allocations = 0};
  }

  fs::path folder_;
};

TEST_F(CalibrationTest, IsKeptForThatGpuDriverAndBackend) {
  const Calibration kept = Some();
  EXPECT_FALSE(FindCalibration(kept.key, folder_));
  ASSERT_TRUE(KeepCalibration(kept, folder_));
  const auto found = FindCalibration(kept.key, folder_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->driver(), MiB(212));
  EXPECT_EQ(found->profile, kept.profile);
  EXPECT_EQ(found->chunk, kept.chunk);
  EXPECT_TRUE(found->of_gpu);
  for (const CalibrationKey& other :
       {CalibrationKey{"0000:02:00.0", "550.54", "headroom-worker-cuda"},
        CalibrationKey{"0000:01:00.0", "560.00", "headroom-worker-cuda"},
        CalibrationKey{"0000:01:00.0", "550.54", "headroom-worker-vulkan"}})
    EXPECT_FALSE(FindCalibration(other, folder_));
}

TEST_F(CalibrationTest, ADamagedOneIsNone) {
  const Calibration kept = Some();
  ASSERT_TRUE(KeepCalibration(kept, folder_));
  const fs::path file = fs::directory_iterator(folder_)->path();
  const std::string whole = ReadFile(file).value();
  for (std::size_t n = 0; n + 2 < whole.size(); ++n) {
    ASSERT_TRUE(WriteFileAtomic(file, whole.substr(0, n)));
    EXPECT_FALSE(FindCalibration(kept.key, folder_)) << n;
  }
  for (std::size_t n = 0; n < whole.size(); n += 3) {
    std::string flipped = whole;
    flipped[n] = static_cast<char>(flipped[n] ^ 0x10);
    ASSERT_TRUE(WriteFileAtomic(file, flipped));
    (void)FindCalibration(kept.key, folder_);  // whatever it says, it comes back
  }
}

// The simulated card, with a driver that takes 100 MiB at first and 7 more once something ran.
class SimulatedCalibration : public CalibrationTest {
 protected:
  Result<Calibration> Measure(const ReadGpuUse& read) {
    const auto skeleton = models::MakeSkeleton("parakeet-tdt_ctc-110m", "Q4_K_M").value();
    const fs::path model = folder_ / "parakeet.gguf";
    EXPECT_TRUE(models::WriteSkeleton(skeleton, model));
    return Calibrate({.key = {"SIM0", "1", "headroom-worker-sim"},
                      .model = model,
                      .chunks = {Milliseconds(1000)}},
                     read);
  }
};

TEST_F(SimulatedCalibration, WhatTheDriverTookIsTheRest) {
  int asked = 0;
  const auto made = Measure([&](pid_t pid) -> std::optional<GpuUse> {
    if (pid < 0) return GpuUse{.used = MiB(500)};
    return GpuUse{.used = MiB(500) + (++asked == 1 ? GiB(1) : GiB(1) + MiB(64))};
  });
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(made->of_gpu);
  EXPECT_NE(made->profile.find("\"SIM\""), std::string::npos);
  EXPECT_EQ(made->allocations, 0);
  EXPECT_EQ(made->chunk, Milliseconds(1000));
  EXPECT_GT(made->buffers, MiB(50));
  // Before it ran anything the engine held less than at the end: so much more is the driver's.
  EXPECT_GT(made->context, GiB(1) - made->buffers);
  EXPECT_LT(made->context, GiB(1) - MiB(50));
  EXPECT_EQ(made->driver(), std::max(made->context, GiB(1) + MiB(64) - made->buffers));
}

TEST_F(SimulatedCalibration, WithoutNumbersOfTheGpuTheWorkersOwnAreTaken) {
  const auto made = Measure([](pid_t) { return std::nullopt; });
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_FALSE(made->of_gpu);
  EXPECT_LT(made->driver(), GiB(1));
}

TEST_F(SimulatedCalibration, AWorkerThatIsNotThereIsAnError) {
  const auto none = Calibrate({.key = {"X", "", "headroom-worker-none"},
                               .model = folder_ / "none",
                               .chunks = {Milliseconds(1000)}},
                              [](pid_t) { return std::nullopt; });
  EXPECT_EQ(none.error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace headroom::planner
