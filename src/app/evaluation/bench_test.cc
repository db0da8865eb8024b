#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/evaluation/measured.h"
#include "app/evaluation/word_errors.h"

namespace headroom::evaluation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(WordErrors, CountsInsertionsDeletionsAndSubstitutions) {
  const auto wrong = [](const char* said, const char* heard) {
    return CompareWords(said, heard).wrong;
  };
  EXPECT_EQ(wrong("Ask not what your country", "ask not, what your country!"), 0U);
  EXPECT_EQ(wrong("a well-known man", "a well known man"), 0U);
  EXPECT_EQ(wrong("one two three", "one three"), 1U);
  EXPECT_EQ(wrong("one two three", "one and two three"), 1U);
  EXPECT_EQ(wrong("one two three", "one too three"), 1U);
  EXPECT_EQ(wrong("one two three", ""), 3U);
  EXPECT_EQ(wrong("", "thank you"), 2U);
  EXPECT_EQ(wrong("Straße und Übung", "strasse und übung"), 1U);
  // The best alignment, not the first: nothing but a word too many in front.
  EXPECT_EQ(wrong("b c d e", "a b c d e"), 1U);
}

TEST(WordErrors, ThePercentageIsOfTheSpokenWords) {
  WordErrors all = CompareWords("one two three four", "one two three for");
  all += CompareWords("five six", "five five five");
  EXPECT_EQ(all.said, 6U);
  EXPECT_EQ(all.wrong, 3U);
  EXPECT_DOUBLE_EQ(all.percent(), 50);
  EXPECT_DOUBLE_EQ(WordErrors{}.percent(), 0);
  EXPECT_DOUBLE_EQ(CompareWords("", "noise").percent(), 100);
}

Measured Row(const char* model, int peak, double wer, std::optional<double> rate = {}) {
  Measured row;
  row.model = model;
  row.size = row.peak.emplace(MiB(peak));
  row.wer = wer;
  row.rate = rate;
  return row;
}

std::vector<std::string> Front(const std::vector<Measured>& rows,
                               const std::vector<Point>& points) {
  std::vector<std::string> names;
  for (const Point& point : points)
    if (point.front) names.push_back(rows[point.row].model);
  return names;
}

TEST(Measured, TheFrontHoldsModelsThatNoOtherBeats) {
  const std::vector<Measured> rows = {Row("large", 900, 2.0, 0.9), Row("wasteful", 500, 5.0, 0.2),
                                      Row("small", 100, 8.0, 0.1), Row("middle", 300, 4.0, 0.3),
                                      Row("twin", 300, 4.0, 0.3),  Row("worse", 300, 4.5)};
  EXPECT_THAT(Front(rows, ErrorsByMemory(rows)), ElementsAre("small", "middle", "twin", "large"));
  EXPECT_THAT(Front(rows, TimeByMemory(rows)), ElementsAre("small"));
  EXPECT_EQ(TimeByMemory(rows).size(), 5U) << "one was not timed";
}

TEST(Measured, UsesThePlannedMemoryWhenNoneIsMeasured) {
  Measured row;
  row.plan = MiB(10);
  row.wer = 3;
  EXPECT_EQ(ErrorsByMemory({row})[0].memory, 10);
  row.plan.reset();
  EXPECT_TRUE(ErrorsByMemory({row}).empty());
}

TEST(Measured, TextPageAndJsonShowTheMeasurements) {
  std::vector<Measured> rows = {Row("tiny", 100, 8.0, 0.1), Row("base", 200, 4.0, 0.2)};
  rows[0].quantisation = "Q8_0";
  rows[0].latencies = {{Milliseconds(3000), 0.25}, {Milliseconds(7000), 0.5}};
  rows[0].load_seconds = 0.125;
  Measured published = Row("<huge>", 0, 1.5);
  published.peak.reset();
  published.plan = MiB(3000);
  published.published = true;
  rows.push_back(published);
  Measured failed;
  failed.model = "broken";
  failed.error = "not a model";
  rows.push_back(failed);
  const Conditions run{
      .clips = 2, .words = 40, .seconds = 10, .threads = 2, .wer_source = "test-clean"};

  const std::string text = ShowText(rows, run);
  for (const char* part : {"tiny Q8_0", "3 s", "0.25 s", "8.00 %", "1.50 % (published)", "[a]",
                           "not a model", "2 clips, 40 words", "published: test-clean"})
    EXPECT_THAT(text, HasSubstr(part));
  const std::string page = ShowPage(rows, run);
  for (const char* part :
       {"<svg", "&lt;huge&gt;", "front published", "1.50 % (published)", "not a model"})
    EXPECT_THAT(page, HasSubstr(part));
  EXPECT_THAT(page, Not(HasSubstr("<huge>")));
  EXPECT_THAT(page, Not(HasSubstr("http"))) << "nothing comes from elsewhere";

  const nlohmann::json json = ShowJson(rows, run);
  EXPECT_EQ(json["models"][0]["latencies"][1]["seconds"], 0.5);
  EXPECT_EQ(json["models"][2]["wer_published"], true);
  EXPECT_TRUE(json["models"][2]["peak_bytes"].is_null());
  EXPECT_EQ(json["models"][3]["error"], "not a model");
  EXPECT_EQ(json["best_errors_by_memory"], nlohmann::json({"tiny Q8_0", "base", "<huge>"}));
}

TEST(Measured, ShowsAnEmptyList) {
  EXPECT_THAT(ShowText({}, {}), HasSubstr("MODEL"));
  EXPECT_THAT(ShowPage({}, {}), HasSubstr("</html>"));
  EXPECT_TRUE(ShowJson({}, {})["models"].empty());
}

}  // namespace
}  // namespace headroom::evaluation
