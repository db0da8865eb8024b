#include "net/control/public_event.h"

#include <gmock/gmock.h>

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(PublicEvent, NoEventHasAWordThatWasSpoken) {
  const json everything = {{"utterance", 7},        {"text", "secret"},    {"committed", "secret"},
                           {"tentative", "secret"}, {"partial", "secret"}, {"language", "de"},
                           {"target", "/home/me"},  {"why", "secret"},     {"trouble", "secret"},
                           {"who", "secret"},       {"device", "secret"},  {"latency_ms", 180},
                           {"tier", "base"},        {"future", "secret"},  {"entries", {"secret"}}};
  for (const char* name : {"status",  "partial", "text",       "served", "delivery",  "speech",
                           "state",   "source",  "zone",       "action", "recovered", "passed_over",
                           "trouble", "notice",  "reloaded",   "sleep",  "yield",     "restart",
                           "drain",   "history", "unheard of", ""}) {
    json event = everything;
    if (std::string_view(name) == "status") event = {{"partial", "secret"}, {"phase", "idle"}};
    const auto shown = PublicEvent(name, event);
    EXPECT_THAT(shown ? shown->dump() : "", Not(HasSubstr("secret"))) << name;
  }
  EXPECT_FALSE(PublicEvent("partial", everything));
  EXPECT_FALSE(PublicEvent("notice", everything));
  EXPECT_FALSE(PublicEvent("text", json::array({"secret"})));
}

TEST(PublicEvent, WhatIsOfTheMachineIsThere) {
  EXPECT_EQ(PublicEvent("text", {{"utterance", 7}, {"text", "a"}, {"latency_ms", 180}}),
            (json{{"utterance", 7}, {"latency_ms", 180}}));
  const json zone = {{"gauge", "RAM"}, {"from", "safe"}, {"to", "danger"}, {"reason", "it grew"}};
  EXPECT_EQ(PublicEvent("zone", zone), zone);
  EXPECT_EQ(PublicEvent("tier", {{"change", "ready"}, {"text", "base is ready"}})->at("text"),
            "base is ready")
      << "a tier's own words";
  EXPECT_EQ(PublicEvent("status", {{"phase", "idle"}, {"partial", "a"}}),
            (json{{"phase", "idle"}}));
}

}  // namespace
}  // namespace headroom::net
