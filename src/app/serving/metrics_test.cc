#include "app/serving/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/text.h"

namespace headroom::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Histogram, CountsUpToAndIncludingEachBound) {
  Histogram histogram;
  for (const int ms : {1, 50, 51, 30'000, 30'001}) histogram.Observe(Milliseconds(ms));
  net::PrometheusText page("h");
  page.Begin("s", "histogram", "Help.");
  histogram.Write(page, "x");
  const std::string text = std::move(page).text();
  EXPECT_THAT(text, HasSubstr("h_s_bucket{source=\"x\",le=\"0.05\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("h_s_bucket{source=\"x\",le=\"0.1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("h_s_bucket{source=\"x\",le=\"30\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("h_s_bucket{source=\"x\",le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("h_s_sum{source=\"x\"} 60.103"));
  EXPECT_THAT(text, HasSubstr("h_s_count{source=\"x\"} 5\n"));
}

TEST(Tally, CountsByWhatHappened) {
  Tally tally;
  tally.Utterance("file", "text");
  tally.Utterance("file", "text");
  tally.Error("no_\"memory\n");
  net::PrometheusText page;
  tally.Write(page);
  const std::string text = std::move(page).text();
  EXPECT_THAT(text, HasSubstr("headroom_utterances_total{source=\"file\",outcome=\"text\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("headroom_errors_total{class=\"no_\\\"memory\\n\"} 1\n"));
}

// The text format: a HELP and a TYPE before the lines of each name, no name twice.
TEST(Metrics, AreWellFormedAndSayWhatIsKnown) {
  MetricsOf of;
  of.scheduler.tiers = {{.title = "a \"b\" on cpu",
                         .on_gpu = false,
                         .state = "ready",
                         .quarantined = {},
                         .failures = 0}};
  of.scheduler.tier_title = "a \"b\" on cpu";
  of.scheduler.sample.vram_total = GiB(4);
  of.scheduler.sample.vram_used = GiB(3);
  of.scheduler.sample.vram_ours = GiB(1);
  of.scheduler.zones[0] = memory::Zone::kDanger;
  of.queue = Milliseconds(2'500);
  net::PrometheusText page;
  WriteMetrics(page, of);
  const std::string text = std::move(page).text();
  EXPECT_THAT(text, HasSubstr("headroom_zone{gauge=\"VRAM\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("headroom_memory_bytes{kind=\"vram\",owner=\"others\"} 2147483648\n"));
  EXPECT_THAT(text, HasSubstr("headroom_memory_bytes{kind=\"vram\",owner=\"free\"} 1073741824\n"));
  EXPECT_THAT(
      text, HasSubstr("headroom_zone_border_bytes{gauge=\"VRAM\",zone=\"critical\"} 4080218931\n"));
  EXPECT_THAT(text,
              HasSubstr("headroom_zone_border_bytes{gauge=\"RAM\",zone=\"warning\"} 2000000000\n"));
  EXPECT_THAT(text, Not(HasSubstr("owner=\"headroom\",")));
  EXPECT_THAT(text, HasSubstr("headroom_tier{tier=\"a \\\"b\\\" on cpu\",state=\"ready\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("headroom_queue_seconds 2.5\n"));
  std::set<std::string> seen;
  std::string name;
  const std::regex line(R"re(([a-z_]+)(\{([a-z]+="([^"\\]|\\.)*",?)+\})? -?[0-9.e+]+)re");
  for (const std::string& one : Split(text, '\n')) {
    if (one.starts_with("# HELP ")) {
      name = one.substr(7, one.find(' ', 7) - 7);
      EXPECT_TRUE(seen.insert(name).second) << name;
    } else if (one.starts_with("# TYPE ")) {
      EXPECT_TRUE(one.starts_with("# TYPE " + name + " ")) << one;
    } else if (!one.empty()) {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(one, match, line)) << one;
      EXPECT_EQ(match[1], name);
    }
  }
  EXPECT_GT(seen.size(), 12U);
}

}  // namespace
}  // namespace headroom::app
