#include "observe/probe/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headroom::probe {
namespace {

Answer Full() {
  Device gpu;
  gpu.pci = "0000:01:00.0";
  gpu.name = "Fake \xc3\xa4 GPU";
  gpu.uuid = "GPU-1";
  gpu.driver = "550.1";
  gpu.kind = DeviceKind::kUnified;
  gpu.state = DeviceState::kActive;
  gpu.can_sleep = true;
  gpu.total = GiB(8), gpu.used = GiB(1), gpu.gtt_total = GiB(4), gpu.gtt_used = MiB(5);
  gpu.processes = {{17, MiB(100)}, {18, std::nullopt}};
  Device asleep;
  asleep.pci = "0000:02:00.0";
  asleep.state = DeviceState::kSuspended;
  return {.seq = 7, .took_us = 80, .devices = {gpu, asleep}};
}

TEST(Answer, SurvivesTheWayThereAndBack) {
  const std::string line = FormatAnswer(Full());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto answer = ParseAnswer(line);
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(FormatAnswer(*answer), line);
  EXPECT_EQ(answer->devices[0].processes[0].used, MiB(100));
  EXPECT_FALSE(answer->devices[0].processes[1].used);
  EXPECT_EQ(answer->devices[1].state, DeviceState::kSuspended);
  EXPECT_FALSE(answer->devices[1].total);
}

TEST(Answer, EveryTruncationIsRefused) {
  const std::string line = FormatAnswer(Full());
  for (std::size_t n = 0; n < line.size(); ++n)
    EXPECT_FALSE(ParseAnswer(std::string_view(line).substr(0, n))) << n;
}

TEST(Answer, WrongFieldsAreNamed) {
  const auto refused = [](std::string_view device) {
    const auto answer =
        ParseAnswer(fmt::format(R"({{"seq":1,"took_us":1,"devices":[{}]}})", device));
    return answer ? std::string() : answer.error().what;
  };
  const std::string good =
      R"("pci":"0000:01:00.0","kind":"discrete","state":"active","can_sleep":false)";
  EXPECT_EQ(refused("{" + good + "}"), "");
  EXPECT_THAT(refused("{" + good + R"(,"total":-1})"), testing::HasSubstr("total"));
  EXPECT_THAT(refused("{" + good + R"(,"total":18446744073709551615})"),
              testing::HasSubstr("total"));
  EXPECT_THAT(refused("{" + good + R"(,"total":1e10})"), testing::HasSubstr("total"));
  EXPECT_THAT(refused("{" + good + R"(,"used":"5"})"), testing::HasSubstr("used"));
  EXPECT_THAT(refused("{" + good + R"(,"processes":[{"pid":-1}]})"),
              testing::HasSubstr("processes"));
  EXPECT_THAT(refused("{" + good + R"(,"processes":[5]})"), testing::HasSubstr("processes"));
  EXPECT_THAT(refused(R"({"pci":"../../x","kind":"discrete","state":"active"})"),
              testing::HasSubstr("pci"));
  EXPECT_THAT(refused(R"({"pci":"0000:01:00.0","kind":"huge"})"), testing::HasSubstr("kind"));
  EXPECT_FALSE(refused("5").empty());
  EXPECT_FALSE(ParseAnswer(std::string(kMostLine + 1, ' ')));
  EXPECT_FALSE(ParseAnswer(std::string(kMostLine, '[')));
}

TEST(Answer, TextsAreMadePrintable) {
  const auto answer = ParseAnswer(
      R"({"seq":1,"took_us":1,"devices":[{"pci":"0000:01:00.0","kind":"discrete","state":"error",)"
      R"("can_sleep":false,"name":"a\u001b[2Jb"}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->devices[0].name, "a [2Jb");
}

TEST(Request, ThereAndBack) {
  const auto request = ParseRequest(FormatRequest({.seq = 3, .rest = true, .ours = {1, 22}}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->seq, 3);
  EXPECT_TRUE(request->rest);
  EXPECT_EQ(request->ours, (std::vector<pid_t>{1, 22}));
  EXPECT_TRUE(ParseRequest(R"({"seq":1})"));
  for (const char* line : {"", "{}", "[]", R"({"seq":-1})", R"({"seq":1,"rest":1})",
                           R"({"seq":1,"ours":[-1]})", R"({"seq":1,"ours":[99999999999]})"})
    EXPECT_FALSE(ParseRequest(line)) << line;
}

}  // namespace
}  // namespace headroom::probe
