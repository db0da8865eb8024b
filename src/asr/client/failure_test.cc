#include "asr/client/failure.h"

#include <gtest/gtest.h>

namespace headroom::asr {
namespace {

using memory::Failure;

std::optional<Failure> OfDead(const char* last_words) {
  return FailureOf(
      {Errc::kWorkerLost,
       fmt::format("the worker was killed by signal 6 (Aborted); its last words: {}", last_words)},
      /*alive=*/false);
}

// As the worker prints them: the engine's last lines, then ggml's message (worker/engine_log.h).
constexpr const char* kWhere =
    "  current device: 0, in function ggml_backend_cuda_synchronize at ggml-cuda.cu:3014;   "
    "cudaStreamSynchronize(cuda_ctx->stream()); ggml-cuda.cu:109: CUDA error";

TEST(Failure, IsToldFromCudasWords) {
  const auto cuda = [](const char* text) {
    return OfDead(fmt::format("CUDA error: {}; {}", text, kWhere).c_str());
  };
  EXPECT_EQ(cuda("out of memory"), Failure::kOutOfMemory);                               // 2
  EXPECT_EQ(cuda("CUDA-capable device(s) is/are busy or unavailable"), Failure::kLost);  // 46
  EXPECT_EQ(cuda("no CUDA-capable device is detected"), Failure::kLost);                 // 100
  EXPECT_EQ(cuda("uncorrectable ECC error encountered"), Failure::kLost);                // 214
  EXPECT_EQ(cuda("an illegal memory access was encountered"), Failure::kSticky);         // 700
  EXPECT_EQ(cuda("the launch timed out and was terminated"), Failure::kHang);            // 702
  EXPECT_EQ(cuda("context is destroyed"), Failure::kSticky);                             // 709
  EXPECT_EQ(cuda("unspecified launch failure"), Failure::kSticky);                       // 719
  EXPECT_EQ(cuda("unknown error"), Failure::kSticky);                                    // 999
  EXPECT_EQ(cuda("no kernel image is available for execution on the device"), Failure::kCrash);
  EXPECT_EQ(cuda("the resource allocation failed"), Failure::kOutOfMemory);  // cuBLAS
  EXPECT_EQ(cuda("something new"), Failure::kSticky);
}

TEST(Failure, IsToldFromVulkansWords) {
  const auto vulkan = [](const char* text) {
    return OfDead(fmt::format("uncaught exception: {}", text).c_str());
  };
  EXPECT_EQ(vulkan("vk::Queue::submit: ErrorDeviceLost"), Failure::kLost);
  EXPECT_EQ(vulkan("vk::Device::waitForFences: ErrorDeviceLost"), Failure::kLost);
  EXPECT_EQ(vulkan("vk::createInstance: ErrorInitializationFailed"), Failure::kLost);
  EXPECT_EQ(vulkan("vk::Device::allocateMemory: ErrorOutOfDeviceMemory"), Failure::kOutOfMemory);
  EXPECT_EQ(vulkan("vk::Device::allocateMemory: ErrorOutOfHostMemory"), Failure::kOutOfMemory);
  EXPECT_EQ(vulkan("vk::Device::allocateDescriptorSets: ErrorOutOfPoolMemory"),
            Failure::kOutOfMemory);
  EXPECT_EQ(vulkan("vk::Queue::submit: ErrorUnknown"), Failure::kSticky);
  // Uncaught, as libstdc++ itself says it: the last line is the exception's.
  EXPECT_EQ(OfDead("what():  vk::Queue::submit: ErrorDeviceLost"), Failure::kLost);
  EXPECT_EQ(OfDead("ggml_vulkan: Device memory allocation of size 104857600 failed."),
            Failure::kOutOfMemory);
}

TEST(Failure, IsToldFromTheError) {
  EXPECT_EQ(FailureOf({Errc::kNoMemory, "load x"}, true), Failure::kOutOfMemory);
  EXPECT_EQ(FailureOf({Errc::kTimeout, "late"}, false), Failure::kHang);
  EXPECT_EQ(FailureOf({Errc::kInvalid, "no such language"}, true), std::nullopt);
  EXPECT_EQ(FailureOf({Errc::kUnsupported, "cannot translate"}, true), std::nullopt);
  EXPECT_EQ(OfDead("killed"), Failure::kCrash);
}

}  // namespace
}  // namespace headroom::asr
