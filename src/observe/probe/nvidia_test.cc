#include "observe/probe/nvidia.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "observe/testing/fixture.h"

// The fake library is loaded for real, here into the test itself; device_probe_test.cc does it
// through headroom-probe.
namespace headroom::probe {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kPci = "0000:01:00.0";

class Nvidia : public testing::Test {
 protected:
  Nvidia() { ::setenv("HEADROOM_FAKE_NVML", fake_.environment().second.c_str(), 1); }
  ~Nvidia() override { ::unsetenv("HEADROOM_FAKE_NVML"); }

  Device Read(bool rest = false) {
    const auto devices = reader_.Read(rest);
    EXPECT_EQ(devices.size(), 1u);
    return devices.empty() ? Device{} : devices[0];
  }
  void Power(const std::string& status) {
    root_.Write({{"sys/bus/pci/devices/" + kPci + "/power/runtime_status", status + "\n"}});
  }

  FakeNvml fake_{
      "card 0000:01:00.0 4294967296 1073741824\n"
      "process 100 524288000\nprocess 101 -\ndraws 100 524288000\ndraws 102 1000\n"};
  FakeRoot root_{PciGpu(kPci, "0x10de")};
  FakeClock clock_;
  NvidiaReader reader_{root_.path(), FAKE_NVML, clock_};
};

TEST_F(Nvidia, MemoryAndWhoseItIs) {
  const Device device = Read();
  EXPECT_EQ(device.state, DeviceState::kActive) << device.trouble;
  EXPECT_EQ(device.name, "Fake GPU");
  EXPECT_EQ(device.uuid, "GPU-1");
  EXPECT_EQ(device.driver, "999.1");
  EXPECT_EQ(device.total, GiB(4));
  EXPECT_EQ(device.used, GiB(1));
  EXPECT_TRUE(device.can_sleep);
  ASSERT_EQ(device.processes.size(), 3u);
  EXPECT_EQ(device.processes[0].used, Bytes(524288000)) << "in both lists, counted once";
  EXPECT_FALSE(device.processes[1].used);
  EXPECT_EQ(device.processes[2].pid, 102);
}

TEST_F(Nvidia, ASleepingGpuIsNeverTouched) {
  for (const char* status : {"suspended", "suspending", "resuming", "odd", ""}) {
    Power(status);
    const Device device = Read();
    EXPECT_EQ(device.state, DeviceState::kSuspended) << status;
    EXPECT_FALSE(device.total);
  }
  EXPECT_THAT(fake_.Calls(), IsEmpty());
}

TEST_F(Nvidia, OneThatFallsAsleepLosesItsLibrary) {
  EXPECT_EQ(Read().state, DeviceState::kActive);
  Power("suspended");
  EXPECT_EQ(Read().state, DeviceState::kSuspended);
  EXPECT_FALSE(reader_.open());
  EXPECT_EQ(fake_.Count("shutdown"), 1);
  Power("active");
  EXPECT_EQ(Read().state, DeviceState::kActive);
  EXPECT_EQ(fake_.Count("init"), 2);
}

TEST_F(Nvidia, AnotherGpuIsLeftAloneWhileOneSleeps) {
  root_.Write(PciGpu("0000:02:00.0", "0x10de", "suspended"));
  const auto devices = reader_.Read(false);
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].state, DeviceState::kResting);
  EXPECT_EQ(devices[1].state, DeviceState::kSuspended);
  EXPECT_THAT(fake_.Calls(), IsEmpty());
}

TEST_F(Nvidia, RestGivesTheLibraryUp) {
  Read();
  EXPECT_EQ(Read(true).state, DeviceState::kResting);
  EXPECT_EQ(fake_.Count("shutdown"), 1);
  EXPECT_FALSE(reader_.open());
}

TEST_F(Nvidia, WithoutAGpuNothingIsLoaded) {
  const FakeRoot other(PciGpu(kPci, "0x1002"));
  EXPECT_TRUE(NvidiaReader(other.path(), FAKE_NVML, clock_).Read(false).empty());
  const FakeRoot none;
  EXPECT_TRUE(NvidiaReader(none.path(), FAKE_NVML, clock_).Read(false).empty());
  EXPECT_THAT(fake_.Calls(), IsEmpty());
}

TEST_F(Nvidia, ErrorCodesAreSaidInWords) {
  fake_.Script("card 0000:01:00.0 4294967296 1\nfail memory 15\n");
  EXPECT_EQ(Read().state, DeviceState::kLost);
  fake_.Script("card 0000:01:00.0 4294967296 1\nfail memory 999\n");
  EXPECT_EQ(Read().state, DeviceState::kError);
  EXPECT_THAT(Read().trouble, HasSubstr("999"));
  fake_.Script("card 0000:01:00.0 4294967296 1\nfail handle 16\n");
  EXPECT_EQ(Read().state, DeviceState::kLost);
  fake_.Script("");
  EXPECT_THAT(Read().trouble, HasSubstr("no such GPU"));
  fake_.Script("card 0000:01:00.0 4294967296 1\nfail processes 3\nfail name 4\n");
  EXPECT_EQ(Read().state, DeviceState::kActive);
  EXPECT_THAT(Read().processes, IsEmpty());
}

TEST_F(Nvidia, AnUninitialisedLibraryIsOpenedAnew) {
  fake_.Script("card 0000:01:00.0 4294967296 1\nfail memory 1\n");
  EXPECT_EQ(Read().state, DeviceState::kError);
  fake_.Script("card 0000:01:00.0 4294967296 1\n");
  EXPECT_EQ(Read().state, DeviceState::kActive);
  EXPECT_EQ(fake_.Count("init"), 2);
}

TEST_F(Nvidia, UnbelievableNumbersAreAnError) {
  for (const char* gpu : {"card 0000:01:00.0 100 200", "card 0000:01:00.0 0 0",
                          "card 0000:01:00.0 18446744073709551615 1"}) {
    fake_.Script(gpu);
    EXPECT_EQ(Read().state, DeviceState::kError) << gpu;
    EXPECT_FALSE(Read().total);
  }
}

TEST_F(Nvidia, ManyProcesses) {
  std::string script = "card 0000:01:00.0 4294967296 1\n";
  for (int pid = 1; pid <= 500; ++pid) script += fmt::format("process {} 1\n", pid);
  fake_.Script(script);
  EXPECT_EQ(Read().processes.size(), 500u);
}

TEST_F(Nvidia, ARefusedStartIsTriedAgainLater) {
  fake_.Script("fail init 9\n");
  EXPECT_THAT(Read().trouble, HasSubstr("driver is not loaded"));
  fake_.Script("card 0000:01:00.0 4294967296 1\n");
  EXPECT_EQ(Read().state, DeviceState::kError);
  EXPECT_EQ(fake_.Count("init"), 1);
  clock_.Advance(Milliseconds(10'000));
  EXPECT_EQ(Read().state, DeviceState::kActive);
}

TEST_F(Nvidia, ALibraryThatIsNone) {
  root_.Write({{"notes.txt", "not a library"}});
  NvidiaReader text(root_.path(), root_ / "notes.txt", clock_);
  EXPECT_EQ(text.Read(false)[0].state, DeviceState::kError);
  NvidiaReader missing(root_.path(), root_ / "missing.so", clock_);
  EXPECT_THAT(missing.Read(false)[0].trouble, HasSubstr("missing.so"));
  NvidiaReader wrong(root_.path(), "libm.so.6", clock_);
  EXPECT_THAT(wrong.Read(false)[0].trouble, HasSubstr("lacks"));
}

TEST_F(Nvidia, AnOldLibraryTellsLess) {
  NvidiaReader old(root_.path(), FAKE_NVML_OLD, clock_);
  const Device device = old.Read(false)[0];
  EXPECT_EQ(device.state, DeviceState::kActive) << device.trouble;
  EXPECT_EQ(device.total, GiB(4));
  EXPECT_EQ(device.name, "NVIDIA 2484") << "from sysfs";
  EXPECT_THAT(device.processes, IsEmpty());
}

}  // namespace
}  // namespace headroom::probe
