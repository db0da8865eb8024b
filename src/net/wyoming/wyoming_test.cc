#include "net/wyoming/wyoming.h"

#include <gmock/gmock.h>

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = StreamEvent::Kind;

// ---- frames ----

WyomingLimits Small() {
  return {.header = Bytes(100), .data = Bytes(50), .payload = Bytes(20)};
}

// All events of `bytes`, given in pieces of `piece`; the last may be "broken: why".
std::vector<std::string> Events(std::string_view bytes, std::size_t piece,
                                WyomingLimits limits = Small()) {
  WyomingParser parser(limits);
  std::vector<std::string> events;
  while (!bytes.empty()) {
    parser.Feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      const auto event = parser.Next();
      if (!event) {
        events.push_back("broken: " + event.error().what);
        return events;
      }
      if (!*event) break;
      events.push_back((*event)->type + " " + (*event)->data.dump() + " " + (*event)->payload);
    }
  }
  if (parser.held() > 0) events.push_back("half");
  return events;
}

TEST(WyomingParser, EventsHoweverTheBytesAreCut) {
  const std::string bytes =
      "{\"type\": \"describe\"}\n"
      "{\"type\": \"transcribe\", \"data\": {\"name\": \"a\", \"language\": \"x\"}, "
      "\"data_length\": 20}\n"
      "{\"language\": \"de\"} \n"
      "{\"type\": \"audio-chunk\", \"data\": null, \"payload_length\": 5}\n"
      "ab\ncd"
      "{\"type\": \"ping\", \"version\": \"1.10.2\", \"data_length\": null}\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_THAT(Events(bytes, piece),
                ElementsAre("describe {} ", R"(transcribe {"language":"de","name":"a"} )",
                            "audio-chunk {} ab\ncd", "ping {} "))
        << piece;
  }
}

TEST(WyomingParser, WhatIsWrittenIsRead) {
  const WyomingEvent event{"transcript", {{"text", "Grüße\n“…”"}}, std::string("\0\n{", 3)};
  WyomingParser parser;
  parser.Feed(WyomingText(event) + WyomingText({"pong"}));
  const auto first = parser.Next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->data, event.data);
  EXPECT_EQ((*first)->payload, event.payload);
  EXPECT_EQ((*parser.Next())->type, "pong");
  EXPECT_EQ(parser.held(), 0U);
}

TEST(WyomingParser, NonsenseIsSaidAndNothingAfterItIsRead) {
  const auto broken = [](const std::string& bytes) {
    const auto events = Events(bytes + "\n{\"type\": \"describe\"}\n", 7);
    return events.size() == 1 ? events.front() : "not broken";
  };
  EXPECT_THAT(broken("GET / HTTP/1.1"), HasSubstr("JSON object"));
  EXPECT_THAT(broken(""), HasSubstr("JSON object"));
  EXPECT_THAT(broken("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(broken("{\"kind\": 1}"), HasSubstr("type: "));
  EXPECT_THAT(broken("{\"type\": 1}"), HasSubstr("type: "));
  EXPECT_THAT(broken("{\"type\": \"x\", \"data\": []}"), HasSubstr("data: "));
  EXPECT_THAT(broken("{\"type\": \"x\", \"data_length\": -1}"), HasSubstr("data_length: "));
  EXPECT_THAT(broken("{\"type\": \"x\", \"data_length\": 51}"), HasSubstr("at most 50"));
  EXPECT_THAT(broken("{\"type\": \"x\", \"payload_length\": 1e3}"), HasSubstr("payload_length: "));
  EXPECT_THAT(broken("{\"type\": \"x\", \"payload_length\": 18446744073709551615}"),
              HasSubstr("at most 20"));
  EXPECT_THAT(broken("{\"type\": \"x\", \"data_length\": 3}\n[1]"), HasSubstr("x: its data"));
  EXPECT_THAT(broken(std::string(101, ' ')), HasSubstr("more than 100 bytes"));
}

TEST(WyomingParser, ALineWithoutEndIsNotKept) {
  WyomingParser parser(Small());
  parser.Feed(std::string(101, 'x'));
  EXPECT_FALSE(parser.Next());
  EXPECT_FALSE(parser.Next());
}

// ---- sessions ----

WyomingEvent Format(const char* type, int rate = 16000, int width = 2, int channels = 1,
                    std::string payload = "") {
  return {type, {{"rate", rate}, {"width", width}, {"channels", channels}}, std::move(payload)};
}
WyomingEvent Chunk(std::string payload = std::string(4, '\0')) {
  return Format("audio-chunk", 16000, 2, 1, std::move(payload));
}

StreamEvent Of(Kind kind, std::uint64_t item, std::string text = "", std::string language = "") {
  StreamEvent event;
  event.kind = kind;
  event.item = item;
  event.text = std::move(text);
  event.language = std::move(language);
  if (kind == Kind::kFailed || kind == Kind::kWarning)
    event.error = {Errc::kNoSpace, "the disk is full"};
  return event;
}

// "transcript-chunk and so", …; what else is done is in the list too.
std::vector<std::string> Said(const WyomingStep& step) {
  std::vector<std::string> said;
  if (step.drop) said.push_back("drop");
  if (step.open) said.push_back("open");
  if (!step.audio.empty()) said.push_back(fmt::format("audio {}", step.audio.size()));
  if (step.finish) said.push_back("finish");
  for (const WyomingEvent& event : step.send) {
    std::string line = event.type;
    if (event.data.contains("text") && event.data["text"].is_string())
      line += " '" + event.data["text"].get<std::string>() + "'";
    if (event.data.contains("language")) line += " " + event.data["language"].get<std::string>();
    said.push_back(std::move(line));
  }
  if (step.describe) said.push_back("describe");
  if (step.close) said.push_back("close");
  return said;
}

WyomingSession Listening(const WyomingEvent& transcribe = {"transcribe"}) {
  WyomingSession session;
  static_cast<void>(session.OnEvent(transcribe));
  static_cast<void>(session.OnEvent(Format("audio-start")));
  static_cast<void>(session.OnEvent(Chunk()));
  return session;
}

TEST(WyomingSession, OneCommandAndThenAnother) {
  WyomingSession session;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(
        Said(session.OnEvent({"transcribe", {{"language", "de-AT"}, {"name", "whisper-base"}}})),
        IsEmpty());
    EXPECT_THAT(Said(session.OnEvent(Format("audio-start"))), IsEmpty());
    EXPECT_TRUE(session.listening());
    const WyomingStep first = session.OnEvent(Chunk(std::string("\x00\x40\x00\x80", 4)));
    EXPECT_THAT(Said(first), ElementsAre("open", "audio 2"));
    EXPECT_EQ(first.open->request.language, "de");
    EXPECT_EQ(first.open->request.model, "whisper-base");
    EXPECT_GE(first.open->turns->silence, Milliseconds(2000));  // a command may have a pause
    EXPECT_THAT(first.audio, ElementsAre(0.5F, -1.0F));
    EXPECT_THAT(Said(session.OnEvent(Chunk())), ElementsAre("audio 2"));
    EXPECT_THAT(Said(session.OnEvent({"audio-stop"})), ElementsAre("finish"));
    EXPECT_TRUE(session.waiting());
    EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kText, 1, "Licht an.", "de"))),
                ElementsAre("transcript-start de", "transcript-chunk 'Licht an.'"));
    EXPECT_THAT(Said(session.OnIdle()),
                ElementsAre("drop", "transcript 'Licht an.' de", "transcript-stop"));
    EXPECT_FALSE(session.waiting());
  }
  // What was asked for held for that audio only.
  EXPECT_EQ(session.OnEvent(Chunk()).open->request.language, "");
}

TEST(WyomingSession, WhatIsCertainIsSentWhileOneSpeaks) {
  WyomingSession session = Listening();
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kStarted, 1))), IsEmpty());
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kPartial, 1, "And so"))),
              ElementsAre("transcript-start", "transcript-chunk 'And so'"));
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kPartial, 1, "And so"))), IsEmpty());
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kPartial, 1, "And so my fellow"))),
              ElementsAre("transcript-chunk ' my fellow'"));
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kStarted, 2))), IsEmpty());
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kPartial, 2, "ask"))), IsEmpty());  // not its turn
  // Spelled otherwise in the end: what is left of it by words.
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kText, 1, "And so, my fellow Americans:", "en"))),
              ElementsAre("transcript-chunk ' Americans:'"));
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kPartial, 2, "ask not"))),
              ElementsAre("transcript-chunk ' ask not'"));
  EXPECT_THAT(Said(session.OnEvent({"audio-stop"})), ElementsAre("finish"));
  EXPECT_THAT(Said(session.OnSpeech(Of(Kind::kText, 2, "Ask not.", "en"))), IsEmpty());
  EXPECT_THAT(Said(session.OnIdle()),
              ElementsAre("drop", "transcript 'And so, my fellow Americans: Ask not.' en",
                          "transcript-stop"));
}

TEST(WyomingSession, SilenceAndNoAudioAreAnEmptyTranscript) {
  WyomingSession session = Listening();
  static_cast<void>(session.OnEvent({"audio-stop"}));
  EXPECT_THAT(Said(session.OnIdle()),
              ElementsAre("drop", "transcript-start", "transcript ''", "transcript-stop"));
  static_cast<void>(session.OnEvent({"transcribe", {{"language", "en"}}}));
  static_cast<void>(session.OnEvent(Format("audio-start")));
  EXPECT_THAT(Said(session.OnEvent(Chunk(""))), IsEmpty());
  EXPECT_THAT(Said(session.OnEvent({"audio-stop"})),
              ElementsAre("transcript-start en", "transcript '' en", "transcript-stop"));
}

TEST(WyomingSession, AudioAgainFromTheBeginKeepsTheRequest) {
  WyomingSession session = Listening({"transcribe", {{"language", "fr"}}});
  static_cast<void>(session.OnSpeech(Of(Kind::kText, 1, "Non.")));
  EXPECT_THAT(Said(session.OnEvent(Format("audio-start"))), ElementsAre("drop"));
  const WyomingStep step = session.OnEvent(Chunk());
  EXPECT_EQ(step.open->request.language, "fr");
  static_cast<void>(session.OnEvent({"audio-stop"}));
  EXPECT_THAT(Said(session.OnIdle()),
              ElementsAre("drop", "transcript-start fr", "transcript '' fr", "transcript-stop"));
}

TEST(WyomingSession, ChunksAloneAreEnough) {
  WyomingSession session;
  EXPECT_THAT(Said(session.OnEvent(Chunk())), ElementsAre("open", "audio 2"));
  // As a client that sent audio-start may do.
  EXPECT_THAT(Said(session.OnEvent({"audio-chunk", json::object(), "abcd"})),
              ElementsAre("audio 2"));
}

TEST(WyomingSession, SamplesOfAllWidths) {
  const auto audio = [](int width, int channels, std::string_view payload) {
    return WyomingSession()
        .OnEvent(Format("audio-chunk", 16000, width, channels, std::string(payload)))
        .audio;
  };
  EXPECT_THAT(audio(1, 1, std::string_view("\x00\x80\xc0", 3)), ElementsAre(-1.0F, 0.0F, 0.5F));
  EXPECT_THAT(audio(2, 2, std::string_view("\x00\x40\x00\x00\x00\xc0\x00\xc0", 8)),
              ElementsAre(0.25F, -0.5F));
  EXPECT_THAT(audio(3, 1, std::string_view("\x00\x00\x40\x00\x00\x80", 6)),
              ElementsAre(0.5F, -1.0F));
  EXPECT_THAT(audio(2, 2, std::string_view("\xff\x7f\xff\x7f", 4)), ElementsAre(32767 / 32768.0F));
  EXPECT_THAT(audio(4, 1, std::string_view("\x00\x00\x00\x40", 4)), ElementsAre(0.5F));
}

TEST(WyomingSession, OtherRatesBecomeOurs) {
  for (const int rate : {8'000, 24'000, 44'100, 48'000}) {
    WyomingSession session;
    std::size_t samples = 0;
    for (int i = 0; i < 10; ++i) {
      const auto step = session.OnEvent(Format(
          "audio-chunk", rate, 2, 2, std::string(static_cast<std::size_t>(rate) / 10 * 4, '\1')));
      EXPECT_EQ(step.open.has_value(), i == 0);
      samples += step.audio.size();
    }
    const WyomingStep last = session.OnEvent({"audio-stop"});
    EXPECT_TRUE(last.finish);
    EXPECT_EQ(samples + last.audio.size(), 16'000U) << rate;
  }
}

TEST(WyomingSession, NamesAndTermsAreContext) {
  WyomingSession session;
  static_cast<void>(session.OnEvent({"transcribe",
                                     {{"transcript_terms", {"Küche", std::string(2000, 'x'), 7}},
                                      {"transcript_names", {"Ada\nLovelace"}},
                                      {"vad_sensitivity", "relaxed"},
                                      {"context", {{"anything", 1}}}}}));
  EXPECT_EQ(session.OnEvent(Chunk()).open->request.prompt, "Ada Lovelace, Küche");
}

TEST(WyomingSession, AWrongFieldIsNamedAndEndsTheConnection) {
  const auto refusal = [](const WyomingEvent& event) {
    WyomingSession session;
    const WyomingStep step = session.OnEvent(event);
    EXPECT_TRUE(step.close);
    return step.send.empty() ? "" : step.send.back().data["text"].get<std::string>();
  };
  EXPECT_EQ(refusal({"transcribe", {{"language", 7}}}), "transcribe: language: not a text");
  EXPECT_EQ(refusal({"audio-start"}), "audio-start: rate: not a whole number");
  EXPECT_THAT(refusal(Format("audio-start", 0)), HasSubstr("audio-start: rate: "));
  EXPECT_THAT(refusal(Format("audio-chunk", 16000, 5)), HasSubstr("audio-chunk: width: "));
  EXPECT_THAT(refusal(Format("audio-chunk", 16000, 2, 0)), HasSubstr("audio-chunk: channels: "));
  EXPECT_THAT(refusal(Chunk("odd")), HasSubstr("3 bytes are not whole frames of 2"));
  EXPECT_THAT(refusal({"audio-chunk", json::object(), "ab"}), HasSubstr("rate"));

  WyomingSession session = Listening();
  EXPECT_THAT(Said(session.OnEvent({"transcribe"})),
              ElementsAre("drop", "error 'transcribe: the audio has begun already'", "close"));
  session = Listening();
  EXPECT_THAT(Said(session.OnEvent(Format("audio-chunk", 16000, 4, 1, "abcd"))),
              ElementsAre("drop", "error 'audio-chunk: the format changed on the way'", "close"));
}

TEST(WyomingSession, ALostItemIsAnErrorAndNoTranscriptWithAHole) {
  for (const Kind kind : {Kind::kFailed, Kind::kWarning}) {
    WyomingSession session = Listening();
    static_cast<void>(session.OnSpeech(Of(kind, 1)));
    static_cast<void>(session.OnSpeech(Of(Kind::kText, 2, "off")));
    static_cast<void>(session.OnEvent({"audio-stop"}));
    EXPECT_THAT(Said(session.OnIdle()), ElementsAre("drop", "error 'the disk is full'", "close"));
  }
}

TEST(WyomingSession, ATranscriptHasAnEnd) {
  WyomingSession session = Listening();
  WyomingStep step;
  int items = 0;
  while (!step.close && ++items < 100)
    step = session.OnSpeech(
        Of(Kind::kText, static_cast<std::uint64_t>(items), std::string(100'000, 'a')));
  EXPECT_EQ(items, 11);
}

TEST(WyomingSession, PingDescribeAndWhatIsNotKnown) {
  WyomingSession session;
  EXPECT_THAT(Said(session.OnEvent({"ping", {{"text", "hello"}}})), ElementsAre("pong 'hello'"));
  EXPECT_THAT(Said(session.OnEvent({"ping"})), ElementsAre("pong"));
  EXPECT_THAT(Said(session.OnEvent({"describe"})), ElementsAre("describe"));
  EXPECT_THAT(Said(session.OnEvent({"synthesize", {{"text", "no"}}})), IsEmpty());
}

TEST(WyomingInfo, HasWhatClientsNeed) {
  ServiceState state;
  state.models = {{"whisper-base", {"de", "en"}, true}, {"tiny", {}, false}};
  const WyomingEvent info = WyomingInfo(state, "1.2");
  EXPECT_EQ(info.type, "info");
  const json& program = info.data["asr"][0];
  EXPECT_EQ(program["version"], "1.2");
  EXPECT_EQ(program["supports_transcript_streaming"], true);
  EXPECT_EQ(program["models"][0]["languages"], json({"de", "en"}));
  EXPECT_EQ(program["models"][1]["languages"], json({"en"}));
  EXPECT_EQ(program["models"][1]["installed"], true);
}

}  // namespace
}  // namespace headroom::net
