#include "observe/probe/device_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "observe/testing/fixture.h"

// The real headroom-probe with the fake library in it.
namespace headroom::probe {
namespace {

using testing::HasSubstr;

constexpr const char* kGpu = "card 0000:01:00.0 4294967296 1073741824\n";
constexpr Milliseconds kLimit{200};

// Far from every real limit, so a slow machine does not fail these tests; hangs end early.
DeviceProbeOptions Options(const FakeRoot& root, const FakeNvml& fake) {
  DeviceProbeOptions options;
  options.arguments = {"--root=" + root.path().string(), std::string("--nvml=") + FAKE_NVML};
  options.environment = {fake.environment()};
  options.deadline = Milliseconds(20'000);
  options.hung_after = Milliseconds(30'000);
  options.first_hung_after = Milliseconds(30'000);
  options.restart_after = Milliseconds(1'000);
  return options;
}

class Probe : public testing::Test {
 protected:
  DeviceReport Until(DeviceProbe& probe, ProbeState wanted) {
    const MonoTime stop = SystemClock().Now() + std::chrono::seconds(30);
    DeviceReport report;
    do {
      report = probe.Ask({}, false);
    } while (report.state != wanted && SystemClock().Now() < stop);
    EXPECT_EQ(Name(report.state), Name(wanted)) << report.trouble;
    return report;
  }

  FakeNvml fake_{kGpu};
  FakeRoot root_{PciGpu("0000:01:00.0", "0x10de")};
};

TEST_F(Probe, AnswersAndFollowsTheGpu) {
  DeviceProbe probe(Options(root_, fake_));
  EXPECT_EQ(probe.starts(), 0) << "nothing is started before it is asked for";
  const auto first = probe.Ask({}, false);
  ASSERT_EQ(first.state, ProbeState::kFresh) << first.trouble;
  ASSERT_EQ(first.devices.size(), 1u);
  EXPECT_EQ(first.devices[0].used, GiB(1)) << first.devices[0].trouble;
  fake_.Script("card 0000:01:00.0 4294967296 2147483648\n");
  EXPECT_EQ(probe.Ask({}, false).devices[0].used, GiB(2));
  EXPECT_EQ(probe.starts(), 1);
  EXPECT_EQ(fake_.Count("init"), 1) << "the library stays open";
}

TEST_F(Probe, RestLetsGoAndASleepingGpuIsNotTouched) {
  DeviceProbe probe(Options(root_, fake_));
  probe.Ask({}, false);
  EXPECT_EQ(probe.Ask({}, true).devices.at(0).state, DeviceState::kResting);
  EXPECT_EQ(fake_.Count("shutdown"), 1);
  root_.Write(PciGpu("0000:01:00.0", "0x10de", "suspended"));
  EXPECT_EQ(probe.Ask({}, false).devices.at(0).state, DeviceState::kSuspended);
  EXPECT_EQ(fake_.Count("init"), 1);
}

TEST_F(Probe, ALateAnswerIsASampleAndIsCollectedLater) {
  auto options = Options(root_, fake_);
  options.deadline = kLimit;
  DeviceProbe probe(options);
  Until(probe, ProbeState::kFresh);
  const pid_t pid = probe.pid();
  ::kill(pid, SIGSTOP);
  const MonoTime start = SystemClock().Now();
  const auto late = probe.Ask({}, false);
  EXPECT_EQ(late.state, ProbeState::kLate);
  EXPECT_GE(late.waiting, kLimit);
  ASSERT_EQ(late.devices.size(), 1u) << "what was known last";
  EXPECT_TRUE(late.measured_at);
  const MonoTime again = SystemClock().Now();
  EXPECT_EQ(probe.Ask({}, false).state, ProbeState::kLate);
  const auto second = SystemClock().Now() - again;
  EXPECT_LT(second, again - start) << "the deadline has passed, so nothing is waited for";
  ::kill(pid, SIGCONT);
  Until(probe, ProbeState::kFresh);
  EXPECT_EQ(probe.pid(), pid) << "late is not lost";
}

TEST_F(Probe, AHungDriverCostsTheDeadlineAndIsReplaced) {
  fake_.Script(std::string(kGpu) + "hang memory\n");
  auto options = Options(root_, fake_);
  options.deadline = kLimit;
  options.first_hung_after = options.hung_after = Milliseconds(300);
  options.restart_after = Milliseconds(50);
  DeviceProbe probe(options);
  const MonoTime start = SystemClock().Now();
  const auto first = probe.Ask({}, false);
  // Starting it is part of the first call; a loaded test machine gets a second for that.
  EXPECT_LT(SystemClock().Now() - start, kLimit + std::chrono::seconds(1));
  EXPECT_EQ(first.state, ProbeState::kLate);
  const auto down = Until(probe, ProbeState::kDown);
  EXPECT_THAT(down.trouble, HasSubstr("did not answer"));
  EXPECT_EQ(probe.pid(), -1);
  fake_.Script(kGpu);
  EXPECT_EQ(Until(probe, ProbeState::kFresh).devices.at(0).used, GiB(1));
  EXPECT_GE(probe.starts(), 2);
}

TEST_F(Probe, NeitherDoesEndingAHungOneBlock) {
  fake_.Script(std::string(kGpu) + "hang init\n");
  auto options = Options(root_, fake_);
  options.deadline = Milliseconds(50);
  MonoTime start;
  {
    DeviceProbe probe(options);
    EXPECT_EQ(probe.Ask({}, false).state, ProbeState::kLate);
    start = SystemClock().Now();
  }
  EXPECT_LT(SystemClock().Now() - start, std::chrono::seconds(1));
}

TEST_F(Probe, ACrashIsToldAndBackOffGrows) {
  fake_.Script(std::string(kGpu) + "crash memory\n");
  FakeClock clock;
  DeviceProbe probe(Options(root_, fake_), clock);
  const auto crashed = probe.Ask({}, false);
  EXPECT_EQ(crashed.state, ProbeState::kDown);
  EXPECT_THAT(crashed.trouble, HasSubstr("signal 9"));
  EXPECT_EQ(probe.Ask({}, false).state, ProbeState::kDown);
  EXPECT_EQ(probe.starts(), 1) << "not before a second has passed";
  clock.Advance(Milliseconds(1'000));
  probe.Ask({}, false);
  EXPECT_EQ(probe.starts(), 2);
  clock.Advance(Milliseconds(1'999));
  probe.Ask({}, false);
  EXPECT_EQ(probe.starts(), 2) << "two seconds after the second crash";
  clock.Advance(Milliseconds(1));
  fake_.Script(kGpu);
  EXPECT_EQ(probe.Ask({}, false).state, ProbeState::kFresh);
}

TEST_F(Probe, NonsenseEndsIt) {
  const FakeRoot scripts;
  int n = 0;
  for (const char* answer : {"nonsense", "{}", R"({\"seq\":99,\"took_us\":1,\"devices\":[]})",
                             R"({\"seq\":1,\"took_us\":1,\"devices\":[5]})"}) {
    const std::string path = scripts / fmt::format("liar{}", n++);
    scripts.Write({{path, fmt::format("#!/bin/sh\nread line\necho \"{}\"\nread line\n", answer)}});
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    auto options = Options(root_, fake_);
    options.program = path;
    DeviceProbe probe(options);
    const auto report = probe.Ask({}, false);
    EXPECT_EQ(report.state, ProbeState::kDown) << answer;
    EXPECT_THAT(report.trouble, HasSubstr("probe")) << answer;
  }
}

TEST_F(Probe, AProgramThatIsNotThere) {
  auto options = Options(root_, fake_);
  options.program = "/nowhere/headroom-probe";
  DeviceProbe probe(options);
  EXPECT_EQ(probe.Ask({}, false).state, ProbeState::kDown);
  EXPECT_THAT(probe.Ask({}, false).trouble, HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace headroom::probe
