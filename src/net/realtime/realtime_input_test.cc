// What a client sends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "net/testing/realtime_fixture.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  ASSERT_EQ(log.configured.size(), 1U);
  EXPECT_EQ(log.configured[0].request.model, "");  // whatever is loaded
  EXPECT_EQ(log.configured[0].request.language, "de");
  EXPECT_EQ(log.configured[0].request.prompt, "Kürbis");
  EXPECT_EQ(log.configured[0].turns->silence, Milliseconds(500));
  EXPECT_EQ(log.configured[0].turns->threshold, 0.7);

  Set({{"turn_detection", nullptr}});
  EXPECT_FALSE(log.configured[1].turns);
  EXPECT_EQ(log.configured[1].request.language, "de");
  Set({{"transcription", nullptr}, {"turn_detection", {{"type", "server_vad"}}}});
  EXPECT_EQ(log.configured[2].request.language, "");
  EXPECT_EQ(log.configured[2].turns->silence, Milliseconds(800));
  Set({{"transcription", {{"model", "whisper-base"}}}});
  EXPECT_EQ(log.configured[3].request.model, "whisper-base");
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
  EXPECT_TRUE(log.configured.empty());

  log.configure = Error{Errc::kNotFound, "there is no model nemo"};
  const json error = ErrorOfInput({{"transcription", {{"model", "nemo"}}}});
  EXPECT_EQ(error["code"], "model_not_found");
  EXPECT_EQ(error["message"], "there is no model nemo");
  log.configure.reset();
  Set({{"turn_detection", nullptr}});
  EXPECT_EQ(log.configured[0].request.model, "");
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
  EXPECT_TRUE(log.configured.empty() && log.samples.empty() && log.clears == 0);
}

TEST_F(Realtime, AppendTakesBase64AndBinary) {
  Set({{"format", {{"type", "audio/pcm"}, {"rate", 16000}}}});
  Client({{"type", "input_audio_buffer.append"}, {"audio", "AIAAQAA="}});  // 5 bytes
  session->OnBinary(std::vector<std::uint8_t>{0x40, 0x00, 0x20});
  EXPECT_THAT(log.samples, ElementsAre(-1, 0.5, 0.5, 0.25));
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(ErrorOf(R"({"type": "input_audio_buffer.append"})")["param"], "audio");
  EXPECT_EQ(ErrorOf(R"({"type": "input_audio_buffer.append", "audio": [1]})")["code"],
            "invalid_type");
  const json bad =
      ErrorOf(R"({"type": "input_audio_buffer.append", "audio": "AIA!", "event_id": "a1"})");
  EXPECT_EQ(bad["code"], "invalid_value");
  EXPECT_EQ(bad["event_id"], "a1");
  EXPECT_EQ(log.samples.size(), 4U);
}

// 24 kHz is the protocol's: 2.4 s in pieces of any size are 1.6 s at 16 kHz, and all of them are
// there when the item ends.
TEST_F(Realtime, CommitTakesTheWhole) {
  const std::vector<std::uint8_t> bytes(4801);
  session->OnBinary(bytes);
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(log.commits, 1);
  EXPECT_EQ(log.samples.size(), 1600U);
  log.commit = Error{Errc::kInvalid, "nothing was appended"};
  const json error = ErrorOf(R"({"type": "input_audio_buffer.commit", "event_id": "c2"})");
  EXPECT_EQ(error["code"], "input_audio_buffer_commit_empty");
  EXPECT_EQ(error["event_id"], "c2");
  log.commit = Error{Errc::kNoSpace, "the disk is full"};
  EXPECT_EQ(ErrorOf(R"({"type": "input_audio_buffer.commit"})")["type"], "server_error");
}

TEST_F(Realtime, ALargeAppendGoesInTurnsAndPieces) {
  std::string base64;
  base64.resize(14'000'000, 'A');  // 10.5 million bytes: 218.75 s
  Client({{"type", "input_audio_buffer.append"}, {"audio", base64}});
  int turns = 0;
  for (; session->waits() == Wait::kSoon; ++turns) session->Continue();
  EXPECT_GT(turns, 10);
  EXPECT_EQ(session->waits(), Wait::kNone);
  EXPECT_LE(log.most, 160'000U);
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(log.samples.size(), 3'500'000U);
  EXPECT_EQ(ErrorOf(json{{"type", "input_audio_buffer.append"},
                         {"audio", std::string(20 * 1024 * 1024 + 4, 'A')}}
                        .dump())["code"],
            "string_above_max_length");
}

TEST_F(Realtime, WaitsWhileTheServiceDoesNotKeepUp) {
  Set({{"format", {{"type", "audio/pcm"}, {"rate", 16000}}}});
  log.room = 0;
  session->OnBinary(std::vector<std::uint8_t>(2000));
  EXPECT_EQ(session->waits(), Wait::kLater);
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kLater);
  log.room = 1000;
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kNone);
  EXPECT_EQ(log.samples.size(), 1000U);
  EXPECT_TRUE(Take().empty());
  log.commit = Error{Errc::kBusy, "later"};
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(session->waits(), Wait::kLater);
  log.commit.reset();
  session->Continue();
  EXPECT_EQ(session->waits(), Wait::kNone);
  EXPECT_EQ(log.commits, 1);
}

TEST_F(Realtime, AudioThatTheServiceRefuses) {
  log.append = Error{Errc::kNoSpace, "the disk is full"};
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
  EXPECT_EQ(log.samples.size(), 1600U);
  session->OnBinary(std::vector<std::uint8_t>{0x00, 0x40});
  EXPECT_EQ(log.samples.size(), 1601U);
  EXPECT_EQ(log.samples.back(), 0.5F);
  Set({{"format", {{"type", "audio/pcma"}}}});
  session->OnBinary(std::vector<std::uint8_t>(800, 0xd5));
  Client({{"type", "input_audio_buffer.commit"}});
  EXPECT_EQ(log.samples.size(), 3201U);
}

}  // namespace
}  // namespace headroom::net
