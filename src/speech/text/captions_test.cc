#include "speech/text/captions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "speech/text/cues.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

using nlohmann::json;
using testing::ElementsAre;

Segment Said(std::int64_t start, std::int64_t end, std::string text, std::vector<Word> words = {}) {
  return {Milliseconds(start), Milliseconds(end), std::move(text), std::move(words)};
}

std::string Written(TranscriptFormat format, const std::vector<Segment>& segments,
                    const TranscriptEnd& end = {}) {
  std::string out;
  const auto writer = MakeTranscriptWriter(format, [&](std::string_view text) -> Result<> {
    out += text;
    return {};
  });
  EXPECT_TRUE(writer->Begin({.file = "talk.mp3"}));
  for (const Segment& segment : segments) EXPECT_TRUE(writer->Add(segment));
  EXPECT_TRUE(writer->End(end));
  return out;
}

TEST(Formats, Names) {
  EXPECT_EQ(*ParseTranscriptFormat("txt"), TranscriptFormat::kText);
  EXPECT_EQ(*ParseTranscriptFormat("vtt"), TranscriptFormat::kVtt);
  EXPECT_EQ(ParseTranscriptFormat("doc").error().code, Errc::kInvalid);
  EXPECT_EQ(Extension(TranscriptFormat::kText), "txt");
}

TEST(Text, SentencesFlowAndALongPauseBeginsALine) {
  EXPECT_EQ(Written(TranscriptFormat::kText,
                    {Said(0, 1000, "Hello there."), Said(1500, 2000, "How\nare  you?"),
                     Said(4000, 5000, "Fine.")}),
            "Hello there. How are you?\nFine.\n");
  EXPECT_EQ(Written(TranscriptFormat::kText, {}), "");
  EXPECT_EQ(Written(TranscriptFormat::kText, {Said(0, 1, "你好。"), Said(1, 2, "再见。")}),
            "你好。再见。\n");
}

TEST(Text, ALongMonologueIsBrokenAfterASentence) {
  std::vector<Segment> segments;
  for (int i = 0; i < 60; ++i)
    segments.push_back(
        Said(i * 1000, i * 1000 + 900, i % 2 ? "and that was all of it." : "So it went on"));
  const std::string text = Written(TranscriptFormat::kText, segments);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find("of it.\nSo it"), std::string::npos);
}

TEST(Json, IsADocument) {
  const auto doc = json::parse(
      Written(TranscriptFormat::kJson,
              {Said(0, 900, "Say \"hi\"\n", {{Milliseconds(10), Milliseconds(400), "Say"}}),
               Said(1000, 2000, "Grüße")},
              {.model = "whisper-base",
               .language = "de",
               .duration = Milliseconds(2500),
               .warnings = {"cut short"}}));
  EXPECT_EQ(doc["schema"], 1);
  EXPECT_EQ(doc["file"], "talk.mp3");
  EXPECT_EQ(doc["model"], "whisper-base");
  EXPECT_EQ(doc["language"], "de");
  EXPECT_EQ(doc["duration_ms"], 2500);
  EXPECT_EQ(doc["complete"], true);
  EXPECT_EQ(doc["warnings"], json::array({"cut short"}));
  ASSERT_EQ(doc["segments"].size(), 2U);
  EXPECT_EQ(doc["segments"][0]["text"], "Say \"hi\"\n");
  EXPECT_EQ(doc["segments"][0]["words"],
            json::parse(R"([{"start_ms":10,"end_ms":400,"text":"Say"}])"));
  EXPECT_EQ(doc["segments"][1]["start_ms"], 1000);
  EXPECT_EQ(doc["segments"][1]["words"], json::array());
}

TEST(Json, IsValidWhenEmptyInterruptedOrNotUtf8) {
  const auto doc =
      json::parse(Written(TranscriptFormat::kJson, {}, {.language = "", .complete = false}));
  EXPECT_EQ(doc["segments"], json::array());
  EXPECT_EQ(doc["complete"], false);
  EXPECT_EQ(
      json::parse(Written(TranscriptFormat::kJson, {Said(0, 1, "a\xFFz")}))["segments"][0]["text"],
      "a\xEF\xBF\xBDz");
}

TEST(Tsv, TabsAndNewlinesDoNotBreakRows) {
  EXPECT_EQ(Written(TranscriptFormat::kTsv, {Said(5, 1234, "a\tb\r\nc")}),
            "start\tend\ttext\n5\t1234\ta b c\n");
}

TEST(Srt, NumbersTimesAndText) {
  EXPECT_EQ(Written(TranscriptFormat::kSrt, {Said(0, 999, "One.\n\nTwo --> three"),
                                             Said(3'599'999, 3'600'000, "<i>x</i>")}),
            "1\n00:00:00,000 --> 00:00:00,999\nOne. Two -> three\n\n"
            "2\n00:59:59,999 --> 01:00:00,000\n<i>x</i>\n\n");
  EXPECT_THAT(Written(TranscriptFormat::kSrt, {Said(90'061'001, 360'000'000, "Late.")}),
              testing::HasSubstr("25:01:01,001 --> 100:00:00,000"));
  EXPECT_EQ(Written(TranscriptFormat::kSrt, {}), "");
}

TEST(Vtt, EscapesAndAlwaysEndsAfterItBegan) {
  EXPECT_EQ(Written(TranscriptFormat::kVtt, {Said(1000, 1000, "a < b & c --> d")}),
            "WEBVTT\n\n00:00:01.000 --> 00:00:01.001\na &lt; b &amp; c --&gt; d\n\n");
  EXPECT_EQ(Written(TranscriptFormat::kVtt, {}), "WEBVTT\n\n");
}

TEST(Vtt, CuesNeverOverlapOrGoBack) {
  const std::string text =
      Written(TranscriptFormat::kVtt,
              {Said(0, 3000, "One."), Said(2000, 4000, "Two."), Said(1000, 1500, "Three.")});
  EXPECT_EQ(text,
            "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nOne.\n\n"
            "00:00:03.000 --> 00:00:04.000\nTwo.\n\n00:00:04.000 --> 00:00:04.001\nThree.\n\n");
}

TEST(Sink, ItsErrorComesThroughEveryFormat) {
  for (const auto format :
       {TranscriptFormat::kText, TranscriptFormat::kJson, TranscriptFormat::kSrt,
        TranscriptFormat::kVtt, TranscriptFormat::kTsv}) {
    const auto writer = MakeTranscriptWriter(
        format, [](std::string_view) -> Result<> { return Fail(Errc::kNoSpace, "disk full"); });
    const auto added = writer->Add(Said(0, 1, "Hello."));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, Errc::kNoSpace);
  }
}

TEST(Cues, ShortTextIsOneLine) {
  const auto cues = CuesOf(Said(100, 2000, " Ask not what your country can do. "));
  ASSERT_EQ(cues.size(), 1U);
  EXPECT_THAT(cues[0].lines, ElementsAre("Ask not what your country can do."));
  EXPECT_EQ(cues[0].start, Milliseconds(100));
  EXPECT_EQ(cues[0].end, Milliseconds(2000));
  EXPECT_TRUE(CuesOf(Said(0, 1, " \n ")).empty());
}

TEST(Cues, TwoLinesAreEven) {
  const auto cues =
      CuesOf(Said(0, 4000, "Ask what you can do for your country and not what it does."));
  ASSERT_EQ(cues.size(), 1U);
  EXPECT_THAT(cues[0].lines,
              ElementsAre("Ask what you can do for your", "country and not what it does."));
}

TEST(Cues, LongTextIsCutAfterASentenceAndTimedInProportion) {
  const auto cues = CuesOf(Said(0, 10'000,
                                "And so, my fellow Americans, ask not what your country can do for "
                                "you. Ask what you can do for "
                                "your country, and never tire of it."));
  ASSERT_EQ(cues.size(), 2U);
  EXPECT_EQ(cues[0].lines.back(), "what your country can do for you.");
  EXPECT_EQ(cues[1].lines.front().substr(0, 8), "Ask what");
  EXPECT_NEAR(static_cast<double>(cues[0].end.count()), 5200, 300);
  EXPECT_EQ(cues[1].start, cues[0].end);
  EXPECT_EQ(cues[1].end, Milliseconds(10'000));
}

TEST(Cues, WordTimesAreUsedAndASilenceEndsACaption) {
  const auto cues = CuesOf(Said(0, 9000, "One two, three.",
                                {{Milliseconds(500), Milliseconds(900), "One"},
                                 {Milliseconds(1000), Milliseconds(1400), "two,"},
                                 {Milliseconds(7000), Milliseconds(7500), "three."}}));
  ASSERT_EQ(cues.size(), 2U);
  EXPECT_EQ(cues[0].start, Milliseconds(500));
  EXPECT_EQ(cues[0].end, Milliseconds(1400));
  EXPECT_EQ(cues[1].start, Milliseconds(7000));
  EXPECT_EQ(cues[1].end, Milliseconds(7500));
}

std::string WithoutSpaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

TEST(Cues, NothingIsLostInAnyScript) {
  std::string chinese, thai, url = "https://example.org/";
  for (int i = 0; i < 40; ++i) chinese += "今天天气很好，我们去公园。", thai += "ภาษาไทยไม่มีช่องว่าง";
  for (int i = 0; i < 100; ++i) url += "path/";
  for (const std::string& text : {chinese, thai, url, url + " " + chinese, std::string("— ♪ —")}) {
    std::string back;
    Milliseconds last{0};
    for (const Cue& cue : CuesOf(Said(0, 100'000, text))) {
      ASSERT_GE(cue.lines.size(), 1U);
      ASSERT_LE(cue.lines.size(), 2U);
      EXPECT_GE(cue.start, last);
      EXPECT_GT(cue.end, cue.start);
      last = cue.end;
      for (const std::string& line : cue.lines) {
        EXPECT_LE(Columns(line), kCaptionColumns) << line;
        EXPECT_FALSE(line.empty());
        back += line;
      }
    }
    EXPECT_EQ(WithoutSpaces(back), WithoutSpaces(text));
  }
}

}  // namespace
}  // namespace headroom::speech
