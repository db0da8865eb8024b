#include <gmock/gmock.h>

#include "net/http/transcription_answer.h"
#include "net/http/transcription_form.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<ServedModel> kModels = {{"whisper-base", {"de"}, true}};

// The field that is wrong, or "".
std::string Wrong(const std::vector<std::pair<std::string, std::string>>& fields) {
  FormReader reader(false);
  for (const auto& [name, value] : fields) {
    if (const auto bad = reader.Add(name, value)) return bad->param + ": " + bad->code;
  }
  const auto bad = reader.Finish(kModels);
  return bad ? bad->param + ": " + bad->code : "";
}

TEST(TranscriptionForm, FieldsAreChecked) {
  EXPECT_EQ(Wrong({}), "");
  EXPECT_EQ(Wrong({{"model", "whisper-1"}, {"language", "de"}, {"temperature", "0.5"}}), "");
  EXPECT_EQ(Wrong({{"model", "whisper-base"}, {"language", ""}, {"temperature", "1"}}), "");
  EXPECT_EQ(Wrong({{"model", "gpt-4o-mini-transcribe"}}), "");
  EXPECT_EQ(Wrong({{"model", "other"}}), "model: model_not_found");
  for (const char* language : {"german", "DE", "d", "de-DE", "d\n"})
    EXPECT_EQ(Wrong({{"language", language}}), "language: invalid_language_format") << language;
  for (const char* value : {"1.1", "-0.1", "nan", "x", "", "0.5x", "inf"})
    EXPECT_EQ(Wrong({{"temperature", value}}), "temperature: invalid_value") << value;
  EXPECT_EQ(Wrong({{"response_format", "xml"}}), "response_format: invalid_value");
  EXPECT_EQ(Wrong({{"stream", "yes"}}), "stream: invalid_value");
  EXPECT_EQ(Wrong({{"stream", "true"}, {"response_format", "srt"}}), "stream: invalid_value");
  EXPECT_EQ(Wrong({{"stream", "true"}, {"response_format", "text"}}), "");
  EXPECT_EQ(Wrong({{"prompt", "a"}, {"prompt", "b"}}), "prompt: duplicate");
  EXPECT_EQ(Wrong({{"vad_filter", "true"}}), "vad_filter: unknown_parameter");
  EXPECT_EQ(Wrong({{"chunking_strategy", "auto"}}), "");
  EXPECT_EQ(Wrong({{"chunking_strategy[type]", "server_vad"}}), "");
  EXPECT_EQ(Wrong({{"timestamp_granularities[]", "word"}}),
            "timestamp_granularities[]: invalid_value");
  EXPECT_EQ(Wrong({{"timestamp_granularities[]", "letter"}}),
            "timestamp_granularities[]: invalid_value");
}

TEST(TranscriptionForm, GranularitiesSayWhichTimesThereAre) {
  const auto form = [](const std::vector<std::string>& wanted) {
    FormReader reader(true);
    reader.Add("response_format", "verbose_json");
    for (const std::string& one : wanted) reader.Add("timestamp_granularities[]", one);
    EXPECT_FALSE(reader.Finish(kModels));
    return reader.form();
  };
  EXPECT_TRUE(form({}).segments);
  EXPECT_FALSE(form({}).words);
  EXPECT_FALSE(form({}).request.word_times);
  EXPECT_TRUE(form({}).request.segment_times);
  EXPECT_FALSE(form({"word"}).segments);
  EXPECT_TRUE(form({"word"}).request.word_times);
  EXPECT_TRUE(form({"word", "segment"}).segments);
  EXPECT_TRUE(form({"word", "segment"}).words);
  EXPECT_EQ(form({}).request.translate_to, "en");
  FormReader plain(false);
  EXPECT_FALSE(plain.Finish(kModels));
  EXPECT_FALSE(plain.form().request.segment_times) << "it would change the text";
  EXPECT_EQ(plain.form().request.translate_to, "");
}

const std::vector<speech::Segment> kSegments = {
    {Milliseconds(0),
     Milliseconds(1500),
     "Guten Tag.",
     {{Milliseconds(0), Milliseconds(700), "Guten"}}},
    {Milliseconds(1500), Milliseconds(4250), "Wie geht's?", {}},
    {Milliseconds(9000), Milliseconds(9500), "Gut.", {}}};
const JobEvents::Outcome kOutcome = {"de", Milliseconds(9600), "whisper-base", {}};

std::string Whole(AnswerFormat format, bool words = false) {
  TranscriptionForm form;
  form.format = format;
  form.words = words;
  TranscriptionAnswer answer(form, MiB(1));
  for (const speech::Segment& segment : kSegments) EXPECT_EQ(answer.Add(segment).value(), "");
  return answer.End(kOutcome).value();
}

TEST(TranscriptionAnswer, HasTheFormatThatWasAskedFor) {
  const std::string text = "Guten Tag. Wie geht's?\nGut.";
  EXPECT_EQ(Whole(AnswerFormat::kText), text + "\n") << "what headroom transcribe writes";
  EXPECT_EQ(json::parse(Whole(AnswerFormat::kJson))["text"], text);
  EXPECT_THAT(Whole(AnswerFormat::kSrt),
              HasSubstr("2\n00:00:01,500 --> 00:00:04,250\nWie geht's?\n"));
  EXPECT_THAT(Whole(AnswerFormat::kVtt), StartsWith("WEBVTT\n"));
  const json verbose = json::parse(Whole(AnswerFormat::kVerboseJson, true));
  EXPECT_EQ(verbose["task"], "transcribe");
  EXPECT_EQ(verbose["language"], "de");
  EXPECT_EQ(verbose["duration"], 9.6);
  EXPECT_EQ(verbose["text"], text);
  ASSERT_EQ(verbose["segments"].size(), 3u);
  EXPECT_EQ(verbose["segments"][1]["id"], 1);
  EXPECT_EQ(verbose["segments"][1]["start"], 1.5);
  EXPECT_EQ(verbose["segments"][1]["end"], 4.25);
  EXPECT_EQ(verbose["words"], json::parse(R"([{"word": "Guten", "start": 0.0, "end": 0.7}])"));
  EXPECT_FALSE(json::parse(Whole(AnswerFormat::kVerboseJson)).contains("words"));
}

TEST(TranscriptionAnswer, OfSilenceIsWhole) {
  for (const AnswerFormat format : {AnswerFormat::kJson, AnswerFormat::kText, AnswerFormat::kSrt,
                                    AnswerFormat::kVtt, AnswerFormat::kVerboseJson}) {
    TranscriptionForm form;
    form.format = format;
    TranscriptionAnswer answer(form, MiB(1));
    const std::string body = answer.End({}).value();
    if (format == AnswerFormat::kJson || format == AnswerFormat::kVerboseJson) {
      EXPECT_EQ(json::parse(body)["text"], "");
    }
    if (format == AnswerFormat::kVtt) {
      EXPECT_THAT(body, StartsWith("WEBVTT"));
    }
  }
}

TEST(TranscriptionAnswer, StreamsWhatIsNew) {
  TranscriptionForm form;
  form.stream = true;
  TranscriptionAnswer answer(form, MiB(1));
  EXPECT_EQ(answer.Add(kSegments[0]).value(),
            "event: transcript.text.delta\n"
            "data: {\"delta\":\"Guten Tag.\",\"type\":\"transcript.text.delta\"}\n\n");
  EXPECT_THAT(answer.Add(kSegments[1]).value(), HasSubstr("\"delta\":\" Wie geht's?\""));
  EXPECT_THAT(answer.End(kOutcome).value(),
              AllOf(HasSubstr("transcript.text.done"), HasSubstr("Guten Tag. Wie geht's?")));
  EXPECT_EQ(answer.content_type(), "text/event-stream");
}

TEST(TranscriptionAnswer, IsBounded) {
  TranscriptionForm form;
  TranscriptionAnswer answer(form, Bytes(15));
  EXPECT_TRUE(answer.Add(kSegments[0]));
  EXPECT_EQ(answer.Add(kSegments[1]).error().code, Errc::kUnsupported);
}

TEST(TranscriptionAnswer, AnyBytesAreJson) {
  TranscriptionForm form;
  form.format = AnswerFormat::kVerboseJson;
  form.words = true;
  TranscriptionAnswer answer(form, MiB(1));
  EXPECT_TRUE(answer.Add({Milliseconds(0), Milliseconds(1), "\xff\"\n\x01", {{{}, {}, "\xfe"}}}));
  EXPECT_TRUE(json::accept(answer.End({"\xff", {}, "", {}}).value()));
}

TEST(WebErrors, SayWhatAndWhen) {
  ServiceState state;
  state.queue = Milliseconds(2500);
  EXPECT_EQ(FromService({Errc::kBusy, "later"}, state).retry_after_s, 3);
  state.queue = std::chrono::hours(5);
  EXPECT_EQ(FromService({Errc::kBusy, "later"}, state).retry_after_s, 60);
  EXPECT_EQ(RetryAfterSeconds({}), 1);
  EXPECT_EQ(FromService({Errc::kNotFound, "no such model"}, state).status, 404u);
  EXPECT_EQ(FromService({Errc::kTimeout, "slow"}, state).status, 504u);
  EXPECT_EQ(json::parse(BadField("stream", "no").Json()),
            json::parse(R"({"error": {"message": "no", "type": "invalid_request_error",
                                      "param": "stream", "code": "invalid_value"}})"));
  EXPECT_TRUE(json::parse(WebError{}.Json())["error"]["param"].is_null());
}

}  // namespace
}  // namespace headroom::net
