#include "api/realtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace headroom::api {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = StreamEvent::Kind;
using Wait = RealtimeSession::Wait;

// What a stream was told, and how it is to answer; outlives it.
struct Told {
  std::vector<float> samples;
  int commits = 0, clears = 0;
  std::vector<StreamOptions> configured;
  std::vector<std::uint64_t> acknowledged;
  bool forgotten = false, destroyed = false;
  std::size_t room = SIZE_MAX;  // samples until Append says kBusy
  std::size_t most = 0;         // samples in one Append
  std::optional<Error> append, commit, configure;
  std::function<void()> on_idle;  // of Finish
};

class Stream : public SpeechStream {
 public:
  explicit Stream(Told& told) : told_(told) {}
  ~Stream() override { told_.destroyed = true; }
  const std::string& session() const override { return session_; }
  Result<> Append(std::span<const float> samples) override {
    if (told_.append) return Fail(*told_.append);
    if (samples.size() > told_.room) return Fail(Errc::kBusy, "the spool is full");
    told_.room -= samples.size();
    told_.most = std::max(told_.most, samples.size());
    told_.samples.insert(told_.samples.end(), samples.begin(), samples.end());
    return {};
  }
  Result<> Commit() override {
    if (told_.commit) return Fail(*told_.commit);
    ++told_.commits;
    return {};
  }
  void Clear() override { ++told_.clears; }
  Result<> Configure(const StreamOptions& options) override {
    if (told_.configure) return Fail(*told_.configure);
    told_.configured.push_back(options);
    return {};
  }
  void Acknowledge(std::uint64_t item) override { told_.acknowledged.push_back(item); }
  void Finish(std::function<void()> on_idle) override { told_.on_idle = std::move(on_idle); }
  void Forget() override { told_.forgotten = true; }

 private:
  Told& told_;
  const std::string session_ = "abc";
};

// The first hex digits of SHA-256("abc").
const std::string kItem = "item_ba7816bf8f01_";

StreamEvent Said(Kind kind, std::uint64_t item, std::string text = "", std::int64_t at = 0) {
  StreamEvent event;
  event.kind = kind;
  event.item = item;
  event.text = std::move(text);
  event.at = Milliseconds(at);
  return event;
}

class Realtime : public ::testing::Test {
 protected:
  Realtime() { Open({}); }

  void Open(RealtimeConnect connect) {
    session = std::make_unique<RealtimeSession>(
        std::move(connect), "n",
        [this](const std::string& event) { sent.push_back(json::parse(event)); });
    session->Begin(std::make_unique<Stream>(told));
    begin = Take();
  }
  // What was sent since the last time.
  std::vector<json> Take() { return std::exchange(sent, {}); }
  std::vector<std::string> Types() {
    std::vector<std::string> types;
    for (const json& event : Take()) types.push_back(event["type"]);
    return types;
  }
  void Client(const json& event) { session->OnText(event.dump()); }
  // The `error` of the only event that this gives.
  json ErrorOf(std::string_view message) {
    session->OnText(message);
    const std::vector<json> events = Take();
    if (events.size() != 1 || events[0]["type"] != "error") return json(events);
    return events[0]["error"];
  }
  json ErrorOfUpdate(const json& fields) {
    return ErrorOf(
        json{{"type", "session.update"}, {"event_id", "e7"}, {"session", fields}}.dump());
  }
  json ErrorOfInput(const json& input) {
    return ErrorOfUpdate({{"type", "transcription"}, {"audio", {{"input", input}}}});
  }
  void Set(const json& input) { EXPECT_THAT(ErrorOfInput(input)[0]["type"], "session.updated"); }
  void Text(std::uint64_t item, std::string text) {
    session->OnEvent(Said(Kind::kCommitted, item));
    session->OnEvent(Said(Kind::kText, item, std::move(text)));
  }

  Told told;
  std::vector<json> sent;
  std::vector<json> begin;
  std::unique_ptr<RealtimeSession> session;
};

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

TEST_F(Realtime, UpdateChangesWhatItNames) {
  Client({{"type", "session.update"},
          {"session",
           {{"type", "transcription"},
            {"include", json::array({"item.input_audio_transcription.logprobs"})},
            {"audio",
             {{"input",
               {{"format", {{"type", "audio/pcm"}, {"rate", 16000}}},
                {"noise_reduction", {{"type", "near_field"}}},
                {"transcription",
                 {{"model", "gpt-4o-transcribe"}, {"language", "de"}, {"prompt", "Kürbis"}}},
                {"turn_detection",
                 {{"type", "server_vad"},
                  {"threshold", 0.7},
                  {"silence_duration_ms", 500},
                  {"create_response", true}}}}}}}}}});
  const std::vector<json> events = Take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["type"], "session.updated");
  const json& input = events[0]["session"]["audio"]["input"];
  EXPECT_EQ(input["format"]["rate"], 16000);
  EXPECT_EQ(input["transcription"]["model"], "gpt-4o-transcribe");
  EXPECT_EQ(input["turn_detection"]["prefix_padding_ms"], 300);
  ASSERT_EQ(told.configured.size(), 1U);
  EXPECT_EQ(told.configured[0].request.model, "");  // whatever is loaded
  EXPECT_EQ(told.configured[0].request.language, "de");
  EXPECT_EQ(told.configured[0].request.prompt, "Kürbis");
  EXPECT_EQ(told.configured[0].turns->silence, Milliseconds(500));
  EXPECT_EQ(told.configured[0].turns->threshold, 0.7);

  Set({{"turn_detection", nullptr}});
  EXPECT_FALSE(told.configured[1].turns);
  EXPECT_EQ(told.configured[1].request.language, "de");
  Set({{"transcription", nullptr}, {"turn_detection", {{"type", "server_vad"}}}});
  EXPECT_EQ(told.configured[2].request.language, "");
  EXPECT_EQ(told.configured[2].turns->silence, Milliseconds(800));
  Set({{"transcription", {{"model", "whisper-base"}}}});
  EXPECT_EQ(told.configured[3].request.model, "whisper-base");
}

TEST_F(Realtime, UpdateSaysWhatIsWrongAndChangesNothing) {
  const auto expect = [this](const json& error, const std::string& code, const std::string& param) {
    EXPECT_EQ(error["type"], "invalid_request_error") << error;
    EXPECT_EQ(error["code"], code) << error;
    EXPECT_EQ(error["param"], param) << error;
    EXPECT_EQ(error["event_id"], "e7");
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(param));
  };
  const std::string in = "session.audio.input";
  expect(ErrorOfUpdate(7), "invalid_type", "session");
  expect(ErrorOfUpdate({{"type", "realtime"}}), "invalid_value", "session.type");
  expect(ErrorOfUpdate({{"type", 7}}), "invalid_type", "session.type");
  expect(ErrorOfUpdate({{"audio", json::object()}}), "missing_required_parameter", "session.type");
  expect(ErrorOfUpdate({{"type", "transcription"}, {"voice", "alloy"}}), "unknown_parameter",
         "session.voice");
  expect(ErrorOfUpdate({{"type", "transcription"}, {"audio", {{"output", 1}}}}),
         "unknown_parameter", "session.audio.output");
  expect(ErrorOfInput(json::array()), "invalid_type", in);
  expect(ErrorOfInput({{"format", "pcm16"}}), "invalid_type", in + ".format");
  expect(ErrorOfInput({{"format", {{"type", "audio/mp3"}}}}), "invalid_value", in + ".format.type");
  expect(ErrorOfInput({{"format", {{"type", "audio/pcm"}, {"rate", 22050}}}}), "invalid_value",
         in + ".format.rate");
  expect(ErrorOfInput({{"format", {{"type", "audio/pcm"}, {"rate", "24000"}}}}), "invalid_type",
         in + ".format.rate");
  expect(ErrorOfInput({{"format", {{"type", "audio/pcmu"}, {"rate", 16000}}}}), "invalid_value",
         in + ".format.rate");
  expect(ErrorOfInput({{"transcription", {{"language", 7}}}}), "invalid_type",
         in + ".transcription.language");
  expect(ErrorOfInput({{"transcription", {{"language", "German"}}}}), "invalid_value",
         in + ".transcription.language");
  expect(ErrorOfInput({{"transcription", {{"prompt", std::string(5000, 'a')}}}}),
         "string_above_max_length", in + ".transcription.prompt");
  expect(ErrorOfInput({{"turn_detection", {{"type", "semantic_vad"}}}}), "invalid_value",
         in + ".turn_detection.type");
  expect(ErrorOfInput({{"turn_detection", {{"threshold", 1.5}}}}), "decimal_above_max_value",
         in + ".turn_detection.threshold");
  expect(ErrorOfInput({{"turn_detection", {{"threshold", "0.5"}}}}), "invalid_type",
         in + ".turn_detection.threshold");
  expect(ErrorOfInput({{"turn_detection", {{"silence_duration_ms", -1}}}}),
         "integer_below_min_value", in + ".turn_detection.silence_duration_ms");
  expect(ErrorOfInput({{"turn_detection", {{"silence_duration_ms", UINT64_MAX}}}}),
         "integer_below_min_value", in + ".turn_detection.silence_duration_ms");
  expect(ErrorOfInput({{"turn_detection", {{"prefix_padding_ms", 60'000}}}}),
         "integer_above_max_value", in + ".turn_detection.prefix_padding_ms");
  expect(ErrorOfInput({{"turn_detection", {{"silence_duration_ms", 500.5}}}}), "invalid_type",
         in + ".turn_detection.silence_duration_ms");
  const json near = ErrorOfInput({{"turn_detection", {{"treshold", 0.5}}}});
  expect(near, "unknown_parameter", in + ".turn_detection.treshold");
  EXPECT_THAT(near["message"].get<std::string>(), HasSubstr("threshold?"));
  EXPECT_TRUE(told.configured.empty());

  told.configure = Error{Errc::kNotFound, "there is no model nemo"};
  const json error = ErrorOfInput({{"transcription", {{"model", "nemo"}}}});
  EXPECT_EQ(error["code"], "model_not_found");
  EXPECT_EQ(error["message"], "there is no model nemo");
  told.configure.reset();
  Set({{"turn_detection", nullptr}});
  EXPECT_EQ(told.configured[0].request.model, "");
}

TEST_F(Realtime, EventsThatAreNone) {
  const auto code = [this](std::string_view message) { return ErrorOf(message).at("code"); };
  EXPECT_EQ(code(""), "invalid_json");
  EXPECT_EQ(code("{\"type\":"), "invalid_json");
  EXPECT_EQ(code("{\"type\": \"input_audio_buffer.clear\"} x"), "invalid_json");
  EXPECT_EQ(code("\xff\xfe"), "invalid_json");
  EXPECT_EQ(code("{\"threshold\": NaN}"), "invalid_json");
  EXPECT_EQ(code("[]"), "invalid_event");
  EXPECT_EQ(code(std::string(100'000, '[')), "invalid_event");
  EXPECT_EQ(code("{\"a\": \"" + std::string(70'000, 'a') + R"(", "type": "session.update"})"),
            "invalid_event");
  EXPECT_EQ(code("{}"), "missing_required_parameter");
  EXPECT_EQ(code(R"({"type": 3})"), "invalid_type");
  EXPECT_EQ(code(R"({"type": "session.update", "event_id": 3})"), "invalid_type");
  EXPECT_EQ(code(R"({"type": "session.update"})"), "missing_required_parameter");
  const json unknown = ErrorOf(R"({"type": "response.create", "event_id": "mine"})");
  EXPECT_EQ(unknown["code"], "invalid_value");
  EXPECT_EQ(unknown["param"], "type");
  EXPECT_EQ(unknown["event_id"], "mine");
  EXPECT_THAT(unknown["message"].get<std::string>(), HasSubstr("input_audio_buffer.append"));
  EXPECT_TRUE(told.configured.empty() && told.samples.empty() && told.clears == 0);
}

TEST_F(Realtime, AppendTakesBase64AndBinary) {
  Set({{"format", {{"type", "audio/pcm"}, {"rate", 16000}}}});
  Client({{"type", "input_audio_buffer.append"}, {"audio", "AIAAQAA="}});  // 5 bytes
  session->OnBinary(std::vector<std::uint8_t>{0x40, 0x00, 0x20});
  EXPECT_THAT(told.samples, ElementsAre(-1, 0.5, 0.5, 0.25));
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(ErrorOf(R"({"type": "input_audio_buffer.append"})")["param"], "audio");
  EXPECT_EQ(ErrorOf(R"({"type": "input_audio_buffer.append", "audio": [1]})")["code"],
            "invalid_type");
  const json bad =
      ErrorOf(R"({"type": "input_audio_buffer.append", "audio": "AIA!", "event_id": "a1"})");
  EXPECT_EQ(bad["code"], "invalid_value");
  EXPECT_EQ(bad["event_id"], "a1");
  EXPECT_EQ(told.samples.size(), 4U);
}

// 24 kHz is the protocol's: 2.4 s in pieces of any size are 1.6 s at 16 kHz, and all of them are
// there when the item ends.
TEST_F(Realtime, CommitTakesTheWhole) {
  const std::vector<std::uint8_t> bytes(4801);
  session->OnBinary(bytes);
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(told.commits, 1);
  EXPECT_EQ(told.samples.size(), 1600U);
  told.commit = Error{Errc::kInvalid, "nothing was appended"};
  const json error = ErrorOf(R"({"type": "input_audio_buffer.commit", "event_id": "c2"})");
  EXPECT_EQ(error["code"], "input_audio_buffer_commit_empty");
  EXPECT_EQ(error["event_id"], "c2");
  told.commit = Error{Errc::kNoSpace, "the disk is full"};
  EXPECT_EQ(ErrorOf(R"({"type": "input_audio_buffer.commit"})")["type"], "server_error");
}

TEST_F(Realtime, ALargeAppendGoesInTurnsAndPieces) {
  const std::string base64(14'000'000, 'A');  // 10.5 million bytes: 218.75 s
  Client({{"type", "input_audio_buffer.append"}, {"audio", base64}});
  int turns = 0;
  for (; session->waits() == Wait::kSoon; ++turns) session->Continue();
  EXPECT_GT(turns, 10);
  EXPECT_EQ(session->waits(), Wait::kNone);
  EXPECT_LE(told.most, 160'000U);
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(told.samples.size(), 3'500'000U);
  EXPECT_EQ(ErrorOf(json{{"type", "input_audio_buffer.append"},
                         {"audio", std::string(20 * 1024 * 1024 + 4, 'A')}}
                        .dump())["code"],
            "string_above_max_length");
}

TEST_F(Realtime, WaitsWhileTheServiceDoesNotKeepUp) {
  Set({{"format", {{"type", "audio/pcm"}, {"rate", 16000}}}});
  told.room = 0;
  session->OnBinary(std::vector<std::uint8_t>(2000));
  EXPECT_EQ(session->waits(), Wait::kLater);
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kLater);
  told.room = 1000;
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kNone);
  EXPECT_EQ(told.samples.size(), 1000U);
  EXPECT_TRUE(Take().empty());
  told.commit = Error{Errc::kBusy, "later"};
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(session->waits(), Wait::kLater);
  told.commit.reset();
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kNone);
  EXPECT_EQ(told.commits, 1);
}

TEST_F(Realtime, AudioThatTheServiceRefuses) {
  told.append = Error{Errc::kNoSpace, "the disk is full"};
  const json error = ErrorOf(json{{"type", "input_audio_buffer.append"},
                                  {"audio", std::string(400'000, 'A')},
                                  {"event_id", "a3"}}
                                 .dump());
  EXPECT_EQ(error["type"], "server_error");
  EXPECT_EQ(error["code"], "no_space");
  EXPECT_EQ(error["event_id"], "a3");
  EXPECT_EQ(session->waits(), Wait::kNone);
}

TEST_F(Realtime, FormatChangesBetweenSamples) {
  session->OnBinary(std::vector<std::uint8_t>(4801));  // and half a sample
  Set({{"format", {{"type", "audio/pcm"}, {"rate", 16000}}}});
  EXPECT_EQ(told.samples.size(), 1600U);
  session->OnBinary(std::vector<std::uint8_t>{0x00, 0x40});
  EXPECT_EQ(told.samples.size(), 1601U);
  EXPECT_EQ(told.samples.back(), 0.5F);
  Set({{"format", {{"type", "audio/pcma"}}}});
  session->OnBinary(std::vector<std::uint8_t>(800, 0xd5));
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(told.samples.size(), 3201U);
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

TEST_F(Realtime, FailedAndTrouble) {
  StreamEvent failed = Said(Kind::kFailed, 1);
  failed.error = {Errc::kWorkerLost, "the worker ended"};
  session->OnEvent(failed);
  const json event = Take().back();
  EXPECT_EQ(event["type"], "conversation.item.input_audio_transcription.failed");
  EXPECT_EQ(event["item_id"], kItem + "1");
  EXPECT_EQ(event["error"]["code"], "worker_lost");
  EXPECT_EQ(event["error"]["message"], "the worker ended");
  StreamEvent trouble = Said(Kind::kTrouble, 0);
  trouble.error = {Errc::kNoSpace, "the disk is full"};
  session->OnEvent(trouble);
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
  EXPECT_EQ(told.clears, 1);
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.cleared"));
  session->OnEvent(Said(Kind::kPartial, 2, "too late"));
  session->OnEvent(Said(Kind::kStopped, 2));
  session->OnEvent(Said(Kind::kDropped, 2));
  EXPECT_TRUE(Take().empty());
  session->OnEvent(Said(Kind::kText, 1, "one"));
  EXPECT_EQ(Take().back()["transcript"], "one");
}

TEST_F(Realtime, WithoutTurnDetectionNobodySaysWhenSpeechStarts) {
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
  EXPECT_EQ(told.configured[0].turns->silence, Milliseconds(200));
  Text(1, "one");
  EXPECT_THAT(Types(), ElementsAre("input_audio_buffer.committed", "conversation.item.created",
                                   "conversation.item.input_audio_transcription.delta",
                                   "conversation.item.input_audio_transcription.completed"));
  Client(json::parse(R"({"type": "session.update", "session": {"turn_detection": null,
      "instructions": "Be kind.", "voice": "alloy"}})"));
  EXPECT_EQ(Take().back()["type"], "session.updated");
  EXPECT_FALSE(told.configured[1].turns);
  EXPECT_EQ(ErrorOf(R"({"type": "transcription_session.update",
      "session": {"input_audio_format": "mp3"}})")["param"],
            "session.input_audio_format");
}

// Whoever begins in one spelling and updates in the other is answered in the other from then on.
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
  session->OnDelivered(9);  // nobody sent that
  session->OnDelivered(2);
  session->OnDelivered(2);
  session->OnDelivered(1);
  EXPECT_THAT(told.acknowledged, ElementsAre(2));
  session->Forget();
  EXPECT_TRUE(told.forgotten);
  session.reset();
  EXPECT_TRUE(told.destroyed);
}

TEST_F(Realtime, DrainedItFinishesWhatItHas) {
  told.room = 16000;
  session->OnBinary(std::vector<std::uint8_t>(4 * 24000, 1));  // two seconds: half of it is taken
  ASSERT_EQ(session->waits(), Wait::kLater);
  bool idle = false;
  session->Drain([&] { idle = true; });
  const std::vector<json> events = Take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["error"]["code"], "draining");
  EXPECT_EQ(events[0]["error"]["type"], "server_error");
  EXPECT_FALSE(told.on_idle) << "what was sent before is not with the service yet";
  told.room = SIZE_MAX;
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kNone);
  const std::size_t had = told.samples.size();
  EXPECT_GT(had, 31'000U);
  ASSERT_TRUE(told.on_idle);
  Client({{"type", "input_audio_buffer.append"}, {"audio", "AAAAAAAA"}});
  session->OnBinary(std::vector<std::uint8_t>(4000, 1));
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(told.samples.size(), had) << "no more is taken";
  EXPECT_EQ(told.commits, 0);
  Text(1, "one");
  EXPECT_EQ(Take().back()["transcript"], "one");
  told.on_idle();
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
}  // namespace headroom::api
