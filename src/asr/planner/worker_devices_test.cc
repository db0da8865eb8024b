#include "asr/planner/worker_devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/dirs.h"
#include "base/file.h"

namespace headroom::planner {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTwo =
    R"([{"name":"Vulkan0","description":"NVIDIA GeForce RTX 3050","pci":"0000:01:00.0",
         "unified":false,"total":4294967296,"free":4000000000},
        {"name":"Vulkan1","description":"llvmpipe","pci":"","unified":true,"total":1,"free":1}])";

class AskDevicesTest : public testing::Test {
 protected:
  AskDevicesTest()
      : folder_(fs::path(testing::TempDir()) / fmt::format("headroom-devices-{}", ::getpid())),
        before_(Environment("HEADROOM_LIBEXEC")) {
    fs::create_directories(folder_);
    ::setenv("HEADROOM_LIBEXEC", folder_.c_str(), 1);
  }
  ~AskDevicesTest() override {
    ::setenv("HEADROOM_LIBEXEC", before_.c_str(), 1);
    fs::remove_all(folder_);
  }
  Result<std::vector<WorkerDevice>> Ask(const std::string& script,
                                        Milliseconds within = Milliseconds(60'000)) {
    EXPECT_TRUE(WriteFileAtomic(folder_ / "headroom-worker-x", "#!/bin/sh\n" + script, 0700));
    return AskDevices("headroom-worker-x", within);
  }

  fs::path folder_;
  std::string before_;
};

TEST(ParseDevices, ReadsWhatAWorkerPrints) {
  const auto devices = ParseDevices(kTwo);
  ASSERT_TRUE(devices) << devices.error().what;
  ASSERT_EQ(devices->size(), 2u);
  EXPECT_EQ((*devices)[0].key(), "0000:01:00.0");
  EXPECT_EQ((*devices)[0].total, MiB(4096));
  EXPECT_EQ((*devices)[1].key(), "Vulkan1");
  EXPECT_TRUE((*devices)[1].unified);
  EXPECT_TRUE(ParseDevices("[]")->empty());
}

TEST(ParseDevices, RefusesEverythingElse) {
  for (const char* text : {"", "{}", "[1]", R"([{"name":"x"}])", "[", "null"})
    EXPECT_EQ(ParseDevices(text).error().code, Errc::kProtocol) << text;
  const std::string whole = kTwo;
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(ParseDevices(std::string_view(whole).substr(0, n))) << n;
}

TEST_F(AskDevicesTest, OfAProgram) {
  EXPECT_EQ(Ask(fmt::format("cat <<'X'\n{}\nX\n", kTwo))->size(), 2u);
  EXPECT_EQ(AskDevices("headroom-worker-none", Milliseconds(1000)).error().code, Errc::kNotFound);
}

TEST_F(AskDevicesTest, WhoCannotStartSaysWhy) {
  const auto none = Ask("echo one >&2; echo 'libvulkan.so.1: cannot open' >&2; exit 127");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kWorkerLost);
  EXPECT_THAT(none.error().what, testing::EndsWith("exited with 127: libvulkan.so.1: cannot open"));
}

TEST_F(AskDevicesTest, ADriverThatHangsIsNotWaitedFor) {
  EXPECT_EQ(Ask("exec sleep 1000", Milliseconds(100)).error().code, Errc::kTimeout);
}

}  // namespace
}  // namespace headroom::planner
