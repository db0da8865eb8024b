#include "net/realtime/realtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "net/testing/realtime_fixture.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

TEST_F(Realtime, BeginsWithItsSession) {
  ASSERT_EQ(begin.size(), 1U);
  EXPECT_EQ(begin[0]["type"], "session.created");
  EXPECT_EQ(begin[0]["session"], json::parse(R"({"type": "transcription", "id": "sess_abc",
              "object": "realtime.transcription_session", "audio": {"input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": null, "language": null, "prompt": null},
                "noise_reduction": null,
                "turn_detection": {"type": "server_vad", "threshold": 0.5,
                                   "prefix_padding_ms": 300, "silence_duration_ms": 800}}}})"));
}

TEST_F(Realtime, AnItemWithTurnDetection) {
  session->OnEvent(Said(Kind::kStarted, 1, "", 120));
  session->OnEvent(Said(Kind::kPartial, 1, ""));
  session->OnEvent(Said(Kind::kPartial, 1, "And so"));
  session->OnEvent(Said(Kind::kPartial, 1, "And so"));
  session->OnEvent(Said(Kind::kPartial, 1, "And so my fellow"));
  session->OnEvent(Said(Kind::kStopped, 1, "", 2120));
  StreamEvent committed = Said(Kind::kCommitted, 1);
  session->OnEvent(committed);
  StreamEvent text = Said(Kind::kText, 1, "And so my fellow Americans");
  text.audio = Milliseconds(2000);
  text.language = "en";
  session->OnEvent(text);
  const std::vector<json> events = Take();
  std::vector<std::string> types;
  for (const json& event : events) types.push_back(event["type"]);
  ASSERT_THAT(types,
              ElementsAre("input_audio_buffer.speech_started",
                          "conversation.item.input_audio_transcription.delta",
                          "conversation.item.input_audio_transcription.delta",
                          "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
                          "conversation.item.added", "conversation.item.done",
                          "conversation.item.input_audio_transcription.delta",
                          "conversation.item.input_audio_transcription.completed"));
  EXPECT_EQ(events[0]["audio_start_ms"], 120);
  EXPECT_EQ(events[0]["item_id"], kItem + "1");
  EXPECT_EQ(events[1]["delta"], "And so");
  EXPECT_EQ(events[2]["delta"], " my fellow");
  EXPECT_EQ(events[2]["content_index"], 0);
  EXPECT_EQ(events[3]["audio_end_ms"], 2120);
  EXPECT_EQ(events[4]["previous_item_id"], nullptr);
  EXPECT_EQ(events[5]["item"]["id"], kItem + "1");
  EXPECT_EQ(events[5]["item"]["content"][0]["type"], "input_audio");
  EXPECT_EQ(events[7]["delta"], " Americans");
  EXPECT_EQ(events[8]["transcript"], "And so my fellow Americans");
  EXPECT_EQ(events[8]["usage"], (json{{"type", "duration"}, {"seconds", 2.0}}));
  EXPECT_EQ(events[8]["languages"], json::parse(R"([{"code": "en"}])"));
  std::set<std::string> ids;
  for (const json& event : events) ids.insert(event["event_id"].get<std::string>());
  EXPECT_EQ(ids.size(), events.size());
}

TEST_F(Realtime, PreviousItemIsTheOneCommittedBefore) {
  Text(1, "one");
  session->OnEvent(Said(Kind::kStarted, 2));
  session->OnEvent(Said(Kind::kDropped, 2));
  session->OnEvent(Said(Kind::kCommitted, 3));
  session->OnEvent(Said(Kind::kCommitted, 4));
  std::vector<json> previous;
  for (const json& event : Take()) {
    if (event["type"] == "input_audio_buffer.committed")
      previous.push_back(event["previous_item_id"]);
  }
  EXPECT_THAT(previous, ElementsAre(nullptr, kItem + "1", kItem + "3"));
}

// The words of a final text may differ from those already sent; clients take `completed`.
TEST_F(Realtime, AFinalTextThatDiffersHasNoDelta) {
  session->OnEvent(Said(Kind::kPartial, 1, "I scream"));
  Take();
  session->OnEvent(Said(Kind::kPartial, 1, "Ice cream for all"));
  Text(1, "Ice cream");
  const std::vector<json> events = Take();
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[3]["transcript"], "Ice cream");
}

TEST_F(Realtime, NothingSaidIsAnEmptyTranscript) {
  Text(1, "");
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.committed", "conversation.item.added",
                                   "conversation.item.done",
                                   "conversation.item.input_audio_transcription.completed"));
}

TEST_F(Realtime, FailuresAndWarnings) {
  StreamEvent failed = Said(Kind::kFailed, 1);
  failed.error = {Errc::kWorkerLost, "the worker ended"};
  session->OnEvent(failed);
  const json event = Take().back();
  EXPECT_EQ(event["type"], "conversation.item.input_audio_transcription.failed");
  EXPECT_EQ(event["item_id"], kItem + "1");
  EXPECT_EQ(event["error"]["code"], "worker_lost");
  EXPECT_EQ(event["error"]["message"], "the worker ended");
  StreamEvent warning = Said(Kind::kWarning, 0);
  warning.error = {Errc::kNoSpace, "the disk is full"};
  session->OnEvent(warning);
  const json error = Take().back();
  EXPECT_EQ(error["error"]["type"], "server_error");
  EXPECT_EQ(error["error"]["event_id"], nullptr);
}

TEST_F(Realtime, AtMostOncePerItem) {
  Text(1, "one");
  Take();
  Text(1, "one");
  session->OnEvent(Said(Kind::kPartial, 1, "one more"));
  EXPECT_TRUE(Take().empty());
}

TEST_F(Realtime, ClearForgetsWhatIsNotCommitted) {
  session->OnEvent(Said(Kind::kCommitted, 1));
  session->OnEvent(Said(Kind::kStarted, 2));
  session->OnBinary(std::vector<std::uint8_t>(481));
  Take();
  Client({{"type", "input_audio_buffer.clear"}});
  EXPECT_EQ(log.clears, 1);
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.cleared"));
  session->OnEvent(Said(Kind::kPartial, 2, "too late"));
  session->OnEvent(Said(Kind::kStopped, 2));
  session->OnEvent(Said(Kind::kDropped, 2));
  EXPECT_TRUE(Take().empty());
  session->OnEvent(Said(Kind::kText, 1, "one"));
  EXPECT_EQ(Take().back()["transcript"], "one");
}

TEST_F(Realtime, WithoutTurnDetectionNoEventSaysWhenSpeechStarts) {
  Set({{"turn_detection", nullptr}});
  session->OnEvent(Said(Kind::kStarted, 1));
  session->OnEvent(Said(Kind::kPartial, 1, "And"));
  session->OnEvent(Said(Kind::kStopped, 1));
  EXPECT_THAT(Types(), ElementsAre("conversation.item.input_audio_transcription.delta"));
}

TEST_F(Realtime, TheBetasSpelling) {
  RealtimeConnect connect;
  connect.spelling = Spelling::kBeta;
  connect.for_transcription = true;
  Open(connect);
  EXPECT_EQ(begin[0]["type"], "transcription_session.created");
  EXPECT_EQ(begin[0]["session"]["input_audio_format"], "pcm16");
  EXPECT_EQ(begin[0]["session"]["turn_detection"]["type"], "server_vad");
  connect.for_transcription = false;
  Open(connect);
  EXPECT_EQ(begin[0]["type"], "session.created");

  Client(json::parse(R"({"type": "transcription_session.update", "session": {
      "input_audio_format": "g711_ulaw",
      "input_audio_transcription": {"model": "whisper-1", "language": "de"},
      "input_audio_noise_reduction": {"type": "near_field"},
      "turn_detection": {"type": "server_vad", "silence_duration_ms": 200}}})"));
  const json updated = Take().back();
  EXPECT_EQ(updated["type"], "transcription_session.updated");
  EXPECT_EQ(updated["session"]["input_audio_format"], "g711_ulaw");
  EXPECT_EQ(updated["session"]["input_audio_transcription"]["language"], "de");
  EXPECT_EQ(log.configured[0].turns->silence, Milliseconds(200));
  Text(1, "one");
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.committed", "conversation.item.created",
                                   "conversation.item.input_audio_transcription.delta",
                                   "conversation.item.input_audio_transcription.completed"));
  Client(json::parse(R"({"type": "session.update", "session": {"turn_detection": null,
      "instructions": "Be kind.", "voice": "alloy"}})"));
  EXPECT_EQ(Take().back()["type"], "session.updated");
  EXPECT_FALSE(log.configured[1].turns);
  EXPECT_EQ(ErrorOf(R"({"type": "transcription_session.update",
      "session": {"input_audio_format": "mp3"}})")["param"],
            "session.input_audio_format");
}

// A client that begins in one spelling and updates in the other is answered in the other from then
// on.
TEST_F(Realtime, TheSpellingFollowsTheClient) {
  Client(json::parse(R"({"type": "transcription_session.update", "session": {}})"));
  EXPECT_THAT(Types(), ElementsAre("transcription_session.updated"));
  session->OnEvent(Said(Kind::kCommitted, 1));
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.committed", "conversation.item.created"));
  Set(json::object());
  session->OnEvent(Said(Kind::kCommitted, 2));
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.committed", "conversation.item.added",
                                   "conversation.item.done"));
}

TEST_F(Realtime, Resume) {
  const auto connect = ParseRealtimeConnect(
      "/v1/realtime?intent=transcription&session=sess_abc&last_item=" + kItem + "2", false);
  ASSERT_TRUE(connect) << connect.error().what;
  Open(*connect);
  const StreamOptions options = session->Opening();
  EXPECT_EQ(options.resume, "abc");
  EXPECT_EQ(options.have, 2U);
  Text(2, "again");  // the client has it
  EXPECT_TRUE(Take().empty());
  session->OnEvent(Said(Kind::kText, 3, "three"));  // was committed on the lost connection
  const std::vector<json> events = Take();
  EXPECT_EQ(events[0]["type"], "input_audio_buffer.committed");
  EXPECT_EQ(events[0]["previous_item_id"], kItem + "2");
  EXPECT_EQ(events.back()["transcript"], "three");
  EXPECT_EQ(events.back()["item_id"], kItem + "3");
}

TEST_F(Realtime, WhatWasDeliveredIsAcknowledgedOnce) {
  Text(1, "one");
  Text(2, "two");
  EXPECT_EQ(session->last_ended(), 2U);
  session->OnDelivered(9);  // that was never sent
  session->OnDelivered(2);
  session->OnDelivered(2);
  session->OnDelivered(1);
  EXPECT_THAT(log.acknowledged, ElementsAre(2));
  session->Forget();
  EXPECT_TRUE(log.forgotten);
  session.reset();
  EXPECT_TRUE(log.destroyed);
}

TEST_F(Realtime, DrainedItFinishesWhatItHas) {
  log.room = 16000;
  session->OnBinary(std::vector<std::uint8_t>(4 * 24000, 1));  // two seconds: half of it is taken
  ASSERT_EQ(session->waits(), Wait::kLater);
  bool idle = false;
  session->Drain([&] { idle = true; });
  const std::vector<json> events = Take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["error"]["code"], "draining");
  EXPECT_EQ(events[0]["error"]["type"], "server_error");
  EXPECT_FALSE(log.on_idle) << "what was sent before is not with the service yet";
  log.room = SIZE_MAX;
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kNone);
  const std::size_t had = log.samples.size();
  EXPECT_GT(had, 31'000U);
  ASSERT_TRUE(log.on_idle);
  Client({{"type", "input_audio_buffer.append"}, {"audio", "AAAAAAAA"}});
  session->OnBinary(std::vector<std::uint8_t>(4000, 1));
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(log.samples.size(), had) << "no more is taken";
  EXPECT_EQ(log.commits, 0);
  Text(1, "one");
  EXPECT_EQ(Take().back()["transcript"], "one");
  log.on_idle();
  EXPECT_TRUE(idle);
}

TEST_F(Realtime, Refusals) {
  const auto refuse = [this](RealtimeConnect connect, const Error& error) {
    RealtimeSession none(std::move(connect), "n",
                         [this](const std::string& event) { sent.push_back(json::parse(event)); });
    none.Refuse(error);
    return Take().back()["error"];
  };
  RealtimeConnect resume;
  resume.session = "abc";
  EXPECT_EQ(refuse(resume, {Errc::kNotFound, "it is over"})["code"], "session_not_found");
  EXPECT_EQ(refuse({}, {Errc::kNotFound, "no such model"})["code"], "model_not_found");
  EXPECT_EQ(refuse({}, {Errc::kInvalid, "last_item"})["code"], "invalid_value");
  const json busy = refuse({}, {Errc::kBusy, "no room"});
  EXPECT_EQ(busy["type"], "server_error");
  EXPECT_EQ(busy["code"], "busy");
}

TEST(RealtimeConnect, ReadsTheQuery) {
  const auto connect = ParseRealtimeConnect(
      "/v1/realtime?model=whisper-base%3AQ8_0&language=de&intent=transcription&new=1&&x", true);
  ASSERT_TRUE(connect);
  EXPECT_EQ(connect->spelling, Spelling::kBeta);
  EXPECT_EQ(connect->model, "whisper-base:Q8_0");
  EXPECT_EQ(connect->language, "de");
  EXPECT_TRUE(connect->for_transcription);
  EXPECT_TRUE(ParseRealtimeConnect("/v1/realtime", false));
  for (const char* const bad :
       {"?model=%4", "?model=%zz", "?session=abc", "?session=sess_", "?last_item=item_1",
        "?session=sess_abc&last_item=item_1", "?session=sess_abc&last_item=item_ba7816bf8f01_0",
        "?session=sess_abc&last_item=item_ba7816bf8f01_1x",
        "?session=sess_abd&last_item=item_ba7816bf8f01_1"})
    EXPECT_FALSE(ParseRealtimeConnect(bad, false)) << bad;
}

}  // namespace
}  // namespace headroom::net
