#include "observe/report/bundle.h"

#include <gmock/gmock.h>

namespace headroom::report {
namespace {

using testing::HasSubstr;
using testing::Not;

const Private kOwn{"/home/anneliese", "anneliese", "thinkpad-x1"};

TEST(RedactTest, WhatNamesAPersonGoes) {
  EXPECT_EQ(Redact("/home/anneliese/.local/a.db", kOwn), "~/.local/a.db");
  EXPECT_EQ(Redact("/home/bert/logs/x:17", kOwn), "~/logs/x:17");
  EXPECT_EQ(Redact("Anneliese at THINKPAD-X1", kOwn), "USER at HOST");
  EXPECT_EQ(Redact("GPU-3f2a91c4-0000-1111-2222-333344445555", kOwn), "GPU-…");
  EXPECT_EQ(Redact("to a.b@example.org, 192.168.1.17, 00:1a:2B:3c:4d:5e", kOwn), "to …, …, …");
  EXPECT_EQ(Redact("hf_abcDEF123456", kOwn), "…");
}

TEST(RedactTest, WhatIsNeededStays) {
  const char* text =
      "2025-10-31 07:14:57 GPU 0 0000:01:00.0, canary-1b-flash:Q8_0, 3.74 GiB, error 719, "
      "/usr/lib/x.so";
  EXPECT_EQ(Redact(text, kOwn), text);
  EXPECT_EQ(Redact("root runs it in /root/x", {"/root", "root", ""}), "root runs it in ~/x");
}

TEST(BundleTest, HoldsTheReportButNoWordsOfTheLog) {
  analyze::Evidence evidence;
  const std::uint32_t source = evidence.AddSource("/home/anneliese/app.log", "lines");
  analyze::EventType type;
  type.name = "torch-out-of-memory";
  type.fingerprint = "dear diary";
  for (int i = 0; i < 9; ++i)
    evidence.AddEvent({analyze::Instant(Milliseconds(i)), evidence.TypeFor(type), {source, 1}, 1});
  evidence.Bad(source, 2, "dear diary, again");
  evidence.Finish();
  const analyze::Findings findings = analyze::Analyze(evidence, {});
  const Report report{evidence, findings, analyze::TimeZone::Fixed(Milliseconds(0))};
  ASSERT_THAT(ToJson(report).dump(), HasSubstr("dear diary")) << "there is something to leave out";
  const std::string text = Bundle(report, "- headroom 1.2.3\n", kOwn);
  EXPECT_THAT(text, Not(HasSubstr("diary")));
  EXPECT_THAT(text, Not(HasSubstr("anneliese")));
  EXPECT_THAT(text, HasSubstr("- headroom 1.2.3"));
  EXPECT_THAT(text, HasSubstr("# Memory report"));
  EXPECT_THAT(text, HasSubstr("\"torch-out-of-memory\""));
  EXPECT_THAT(text, HasSubstr("\"~/app.log\""));
}

}  // namespace
}  // namespace headroom::report
