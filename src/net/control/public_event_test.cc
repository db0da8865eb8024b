#include "net/control/public_event.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(PublicEvent, NoEventHasAWordThatWasSpoken) {
  const std::string secret = "secret";
  const Error error{Errc::kIo, secret};
  Status status;
  status.partial = secret;
  const Event events[] = {
      SpeechBegan{7},
      SpeechEnded{7, Milliseconds(5)},
      SpeechDropped{7},
      PartialText{7, secret, secret},
      TextDelivered{.utterance = 7, .text = secret, .language = secret, .failure = error},
      TargetTried{7, secret, error},
      UtteranceFailed{7, error},
      Recovered{1},
      StateChanged{"idle", secret},
      SourceChanged{"lost", secret, secret, 1},
      Warning{error, 7, true},
      Notice{secret},
      Reloaded{{secret}, {secret}},
      DrainChanged{true},
      SleepChanged{true},
      YieldChanged{secret, true},
      StatusChanged{status},
  };
  for (const Event& event : events) {
    const auto shown = PublicEvent(event);
    EXPECT_THAT(shown ? shown->dump() : "", Not(HasSubstr("secret"))) << event.index();
  }
  EXPECT_FALSE(PublicEvent(PartialText{7, secret, secret}));
  EXPECT_FALSE(PublicEvent(Notice{secret}));
}

TEST(PublicEvent, WhatIsOfTheMachineIsThere) {
  EXPECT_EQ(PublicEvent(TextDelivered{.utterance = 7, .text = "a", .latency = Milliseconds(180)}),
            (json{{"utterance", 7},
                  {"tier", ""},
                  {"audio_ms", 0},
                  {"latency_ms", 180},
                  {"adopted", false},
                  {"phantom", false},
                  {"delivered", true}}));
  EXPECT_EQ(PublicEvent(ZoneChanged{memory::Gauge::kRam, memory::Zone::kSafe, memory::Zone::kDanger,
                                    "it grew"}),
            (json{{"gauge", "RAM"}, {"from", "safe"}, {"to", "danger"}, {"reason", "it grew"}}));
  EXPECT_EQ(PublicEvent(TierChanged{"ready", "base", {}, "base is ready"})->at("text"),
            "base is ready")
      << "a tier's own words";
  EXPECT_EQ(PublicEvent(Warning{{Errc::kNoSpace, "x"}}), (json{{"code", "no_space"}}));
  Status status;
  status.phase = Phase::kListening;
  EXPECT_EQ(PublicEvent(StatusChanged{status})->at("phase"), "listening");
}

}  // namespace
}  // namespace headroom::net
