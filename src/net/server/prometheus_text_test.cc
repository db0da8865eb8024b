#include "net/server/prometheus_text.h"

#include <gtest/gtest.h>

namespace headroom::net {
namespace {

TEST(PrometheusText, WritesHelpAndTypeBeforeTheValues) {
  PrometheusText page("headroom_http");
  page.Counter("requests_total", "Requests understood.", 7);
  page.Gauge("load", "Of the server.", 2.5);
  page.Begin("refused_total", "counter", "Requests refused, by reason.");
  page.Value({{"reason", "full"}}, 1);
  page.Value({{"reason", "a \"b\"\\\n"}, {"who", "c"}}, 2);
  EXPECT_EQ(std::move(page).text(),
            "# HELP headroom_http_requests_total Requests understood.\n"
            "# TYPE headroom_http_requests_total counter\n"
            "headroom_http_requests_total 7\n"
            "# HELP headroom_http_load Of the server.\n"
            "# TYPE headroom_http_load gauge\n"
            "headroom_http_load 2.5\n"
            "# HELP headroom_http_refused_total Requests refused, by reason.\n"
            "# TYPE headroom_http_refused_total counter\n"
            "headroom_http_refused_total{reason=\"full\"} 1\n"
            "headroom_http_refused_total{reason=\"a \\\"b\\\"\\\\\\n\",who=\"c\"} 2\n");
}

TEST(PrometheusText, AHistogramHasSuffixes) {
  PrometheusText page;
  page.Begin("latency_seconds", "histogram", "Help.");
  page.Value({{"le", "+Inf"}}, 3, "_bucket");
  page.Value({}, 1.5, "_sum");
  EXPECT_EQ(std::move(page).text(),
            "# HELP headroom_latency_seconds Help.\n"
            "# TYPE headroom_latency_seconds histogram\n"
            "headroom_latency_seconds_bucket{le=\"+Inf\"} 3\n"
            "headroom_latency_seconds_sum 1.5\n");
}

}  // namespace
}  // namespace headroom::net
