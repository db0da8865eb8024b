#include "net/control/event_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace headroom::net {
namespace {

constexpr Milliseconds kAudio{1'200}, kDecoded{90}, kLatency{180};

struct Case {
  Event event;
  const char* name;
  const char* json;
};

// What programs rely on: docs/control.md.
TEST(EventJson, NamesAndMembersAreThoseOfTheManual) {
  const Error lost{Errc::kWorkerLost, "the worker died"};
  const memory::Action told{.kind = memory::ActionKind::kNotify,
                            .reason = "it grew",
                            .gauge = memory::Gauge::kRam,
                            .from = memory::Zone::kSafe,
                            .to = memory::Zone::kDanger,
                            .target = {},
                            .bytes = {}};
  const memory::Action ended{
      .kind = memory::ActionKind::kEndWorker, .reason = "idle", .target = {}, .bytes = {}};
  const Case cases[] = {
      {SpeechBegan{7}, "speech", R"({"utterance":7,"what":"begin"})"},
      {SpeechEnded{7, kAudio}, "speech", R"({"audio_ms":1200,"utterance":7,"what":"end"})"},
      {SpeechDropped{7}, "speech", R"({"utterance":7,"what":"dropped"})"},
      {PartialText{7, "it", " is"}, "partial",
       R"({"committed":"it","tentative":" is","utterance":7})"},
      {TextDelivered{.utterance = 7,
                     .text = "it is",
                     .language = "en",
                     .tier = "base",
                     .audio = kAudio,
                     .decoded = kDecoded,
                     .latency = kLatency,
                     .adopted = true},
       "text",
       R"({"adopted":true,"audio_ms":1200,"decoded_ms":90,"delivered":true,"language":"en",)"
       R"("latency_ms":180,"phantom":false,"text":"it is","tier":"base","trouble":"","utterance":7})"},
      {TextDelivered{.utterance = 8, .text = "a", .hallucination = true, .failure = lost}, "text",
       R"({"adopted":false,"audio_ms":0,"delivered":false,"language":"","phantom":true,"text":"a",)"
       R"("tier":"","trouble":"the worker died","utterance":8})"},
      {TargetTried{7, "typing", {}}, "delivery", R"({"ok":true,"target":"typing","utterance":7})"},
      {TargetTried{7, "typing", lost}, "delivery",
       R"({"ok":false,"target":"typing","utterance":7,"why":"the worker died"})"},
      {UtteranceFailed{7, lost}, "passed_over", R"({"text":"the worker died","utterance":7})"},
      {Recovered{2}, "recovered", R"({"utterances":2})"},
      {StateChanged{"speaking", "USB"}, "state", R"({"device":"USB","state":"speaking"})"},
      {SourceChanged{"lost", "USB", "unplugged", 3}, "source",
       R"({"device":"USB","dropped":3,"state":"lost","trouble":"unplugged"})"},
      {ZoneChanged{memory::Gauge::kRam, memory::Zone::kSafe, memory::Zone::kDanger, "it grew"},
       "zone", R"({"from":"safe","gauge":"RAM","reason":"it grew","to":"danger","verb":"zone"})"},
      {ActionTaken{told}, "action",
       R"({"from":"safe","gauge":"RAM","reason":"it grew","to":"danger","verb":"tell"})"},
      {ActionTaken{ended}, "action", R"({"reason":"idle","verb":"end_worker"})"},
      {TierChanged{"ready", "base", kDecoded, "base is ready"}, "tier",
       R"({"change":"ready","ms":90,"text":"base is ready","tier":"base"})"},
      {Served{.source = "file", .outcome = "failed"}, "served",
       R"({"outcome":"failed","source":"file"})"},
      {Served{"stream", "text", "base", kAudio, kLatency}, "served",
       R"({"audio_ms":1200,"latency_ms":180,"outcome":"text","source":"stream","tier":"base"})"},
      {Warning{lost}, "trouble", R"({"code":"worker_lost","text":"the worker died"})"},
      {Warning{lost, 7, true}, "trouble",
       R"({"again":true,"code":"worker_lost","text":"the worker died","utterance":7})"},
      {Notice{"hello"}, "notice", R"({"text":"hello"})"},
      {Reloaded{{"audio.device"}, {"server.listen"}}, "reloaded",
       R"({"changed":["audio.device"],"restart":["server.listen"]})"},
      {DrainChanged{true}, "drain", R"({"on":true})"},
      {SleepChanged{true}, "sleep", R"({"asleep":true})"},
      {YieldChanged{"game", true}, "yield", R"({"held":true,"who":"game"})"},
      {YieldChanged{{}, false}, "yield", R"({"held":false})"},
      {Restarting{"memory"}, "restart", R"({"reason":"memory"})"},
  };
  std::set<std::size_t> tried;
  for (const Case& one : cases) {
    EXPECT_EQ(NameOf(one.event), one.name);
    EXPECT_EQ(EventToJson(one.event).dump(), one.json);
    const auto read = EventFromJson(one.name, nlohmann::json::parse(one.json));
    ASSERT_TRUE(read) << one.name;
    EXPECT_EQ(read->index(), one.event.index()) << one.name;
    EXPECT_EQ(EventToJson(*read).dump(), one.json);
    tried.insert(one.event.index());
  }
  EXPECT_EQ(tried.size(), std::variant_size_v<Event> - 1) << "all but the status, below";
}

TEST(EventJson, TheStatusIsThatOfStatusH) {
  Status status;
  status.partial = "it";
  const Event event = StatusChanged{status};
  EXPECT_EQ(NameOf(event), "status");
  EXPECT_EQ(EventToJson(event), ToJson(status));
  const auto read = EventFromJson("status", ToJson(status));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<StatusChanged>(*read).status.partial, "it");
}

TEST(EventJson, ReadsWhatOthersSend) {
  EXPECT_FALSE(EventFromJson("dance", nlohmann::json::object())) << "of a newer daemon";
  EXPECT_FALSE(EventFromJson("text", nlohmann::json::array()));
  const auto bare = EventFromJson("text", {{"text", 3}, {"audio_ms", "long"}});
  ASSERT_TRUE(bare);
  EXPECT_EQ(std::get<TextDelivered>(*bare).text, "");
  EXPECT_FALSE(std::get<TextDelivered>(*bare).failure);
  const auto odd = EventFromJson("zone", {{"gauge", "steam"}, {"to", "purple"}});
  ASSERT_TRUE(odd);
  EXPECT_EQ(std::get<ZoneChanged>(*odd).to, memory::Zone::kSafe);
}

}  // namespace
}  // namespace headroom::net
