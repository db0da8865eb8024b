#include "asr/sim/device_profile.h"

#include <ggml-backend.h>
#include <gtest/gtest.h>

#include "asr/sim/sim_device.h"
#include "asr/worker/record_profile.h"

namespace headroom::worker {
namespace {

TEST(DeviceProfile, RoundTrips) {
  DeviceProfile profile{.registry = "CUDA",
                        .name = "CUDA0",
                        .description = "a card",
                        .alignment = Bytes(256),
                        .largest_buffer = GiB(1),
                        .granularity = KiB(64),
                        .size_rule = SizeRule::kCudaRows,
                        .unsupported = {"IM2COL", "MUL_MAT:q5_K"}};
  const auto back = ParseDeviceProfile(ToText(profile));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(ToText(*back), ToText(profile));
  EXPECT_EQ(ToText(*ParseDeviceProfile("")), ToText(DeviceProfile{}));
  EXPECT_EQ(ParseDeviceProfile(R"({"registry": "Vulkan"})")->alignment, Bytes(128));
}

TEST(DeviceProfile, NonsenseIsRefused) {
  for (const char* bad :
       {"x", "[]", "{\"alignment\": 3}", "{\"alignment\": 0}", "{\"alignment\": 8192}",
        "{\"alignment\": \"128\"}", "{\"largest_buffer\": -1}", "{\"granularity\": 0}",
        "{\"granularity\": 1e300}", "{\"size_rule\": \"odd\"}", "{\"unsupported\": [1]}",
        "{\"name\": \"\"}", "{\"colour\": 1}", "{\"granularity\": 18446744073709551615}"})
    EXPECT_EQ(ParseDeviceProfile(bad).error().code, Errc::kInvalid) << bad;
}

TEST(RecordProfile, OfASimulatedCardIsWhatItWasMadeFrom) {
  const DeviceProfile made{.registry = "Vulkan",
                           .name = "Vulkan0",
                           .description = "recorded",
                           .alignment = Bytes(64),
                           .largest_buffer = MiB(512),
                           .size_rule = SizeRule::kCudaRows,
                           .unsupported = {"IM2COL:f16", "MUL_MAT:q5_K", "TANH", "FLASH_ATTN_EXT"}};
  EXPECT_EQ(ToText(RecordProfile(SimCard::Make({.profile = made}).device())), ToText(made));
}

TEST(RecordProfile, OfTheCpu) {
  const DeviceProfile cpu = RecordProfile(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
  EXPECT_EQ(cpu.registry, "CPU");
  EXPECT_EQ(cpu.largest_buffer, Bytes(0));
  EXPECT_FALSE(cpu.unsupported.contains("MUL_MAT:f16"));
}

}  // namespace
}  // namespace headroom::worker
