#include "asr/client/protocol.h"

#include <gtest/gtest.h>

#include <functional>

namespace headroom::asr {
namespace {

using nlohmann::json;

PlanRequest SomePlanRequest() {
  return {.path = "/m",
          .threads = 2,
          .chunks = {Milliseconds(5000), Milliseconds(30'000)},
          .batch = 3,
          .cpu = true,
          .gpu = {.capacity = MiB(9), .counting = true, .profile = "{}", .script = "x"}};
}

PlanResult SomePlan() {
  PlanResult plan{
      .weights = MiB(40), .session = MiB(1), .kv = MiB(2), .host = MiB(3), .cpu_copies = MiB(4)};
  plan.chunks = {{Milliseconds(5000), MiB(2), MiB(7), MiB(50)}};
  plan.traits.architecture = "canary";
  return plan;
}

RunResult SomeResult() {
  RunResult result;
  result.transcript.language = "en";
  result.transcript.segments = {{Milliseconds(10),
                                 Milliseconds(900),
                                 "Hello, wörld.",
                                 {{Milliseconds(10), Milliseconds(400), "Hello,"}}}};
  result.truncated = true;
  result.timings = {1.5, 2.5, 3.5};
  return result;
}

// Each message type with a way to parse it, so that one test covers them all.
struct Type {
  const char* name;
  json example;
  std::function<bool(const json&)> parses;
};
std::vector<Type> Types() {
  ModelTraits traits{.architecture = "whisper",
                     .variant = "whisper-base",
                     .languages = {"en", "de"},
                     .translates_to = {"en"}};
  traits.max_audio = Milliseconds(40'000);
  return {
      {"hello", ToJson(Hello{.version = 1, .backend = "cpu", .engine = "x"}),
       [](const json& j) { return ParseHello(j).has_value(); }},
      {"load", ToJson(LoadRequest{.path = "/m", .threads = 2}),
       [](const json& j) { return ParseLoadRequest(j).has_value(); }},
      {"card", ToJson(GpuOptions{}), [](const json& j) { return ParseGpuOptions(j).has_value(); }},
      {"plan request", ToJson(SomePlanRequest()),
       [](const json& j) { return ParsePlanRequest(j).has_value(); }},
      {"plan", ToJson(SomePlan()), [](const json& j) { return ParsePlanResult(j).has_value(); }},
      {"traits", ToJson(traits), [](const json& j) { return ParseModelTraits(j).has_value(); }},
      {"run", ToJson(RecognitionOptions{.language = "de", .vocabulary = {"Ada"}, .prompt = "p"}),
       [](const json& j) { return ParseRecognitionOptions(j).has_value(); }},
      {"batch",
       ToJson(BatchRequest{.options = {.language = "de", .vocabulary = {}, .prompt = {}},
                           .clips = {16'000, 1}}),
       [](const json& j) { return ParseBatchRequest(j).has_value(); }},
      {"batch result", ToJson(BatchResult{SomeResult()}),
       [](const json& j) { return ParseBatchResult(j).has_value(); }},
      {"result", ToJson(SomeResult()), [](const json& j) { return ParseRunResult(j).has_value(); }},
      {"stats", ToJson(WorkerStats{.rss = MiB(3), .peak_rss = MiB(4), .runs = 9}),
       [](const json& j) { return ParseWorkerStats(j).has_value(); }}};
}

TEST(Protocol, ResultsRoundTrip) {
  const RunResult result = SomeResult();
  const auto back = ParseRunResult(ToJson(result));
  ASSERT_TRUE(back);
  EXPECT_EQ(ToJson(*back), ToJson(result));
  EXPECT_EQ(back->transcript.segments[0].words[0].text, "Hello,");
}

TEST(Protocol, WishesRoundTrip) {
  const RecognitionOptions options{.language = "de",
                                   .translate_to = "fr",
                                   .unpunctuated = true,
                                   .vocabulary = {"Ada"},
                                   .prompt = "p"};
  const auto back = ParseRecognitionOptions(ToJson(options));
  ASSERT_TRUE(back);
  EXPECT_EQ(ToJson(*back), ToJson(options));
  EXPECT_EQ(back->translate_to, "fr");
  EXPECT_TRUE(back->unpunctuated);
}

TEST(Protocol, BatchesRoundTrip) {
  const BatchRequest request{.options = {.language = "de", .vocabulary = {}, .prompt = {}},
                             .clips = {16'000, 7}};
  EXPECT_EQ(ParseBatchRequest(ToJson(request))->clips, request.clips);
  const BatchResult results{SomeResult(), Fail(Errc::kInvalid, "too short"), SomeResult()};
  const auto back = ParseBatchResult(ToJson(results));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(ToJson(*back), ToJson(results));
  EXPECT_EQ((*back)[1].error().what, "too short");
  EXPECT_EQ(ParseBatchResult({{"results", {1}}}).error().code, Errc::kProtocol);
  EXPECT_EQ(ParseBatchResult({{"results", {{{"error", 1}}}}}).error().code, Errc::kProtocol);
}

TEST(Protocol, PlansRoundTrip) {
  const auto request = ParsePlanRequest(ToJson(SomePlanRequest()));
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_EQ(ToJson(*request), ToJson(SomePlanRequest()));
  EXPECT_EQ(request->chunks.back(), Milliseconds(30'000));
  const auto plan = ParsePlanResult(ToJson(SomePlan()));
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(ToJson(*plan), ToJson(SomePlan()));
  EXPECT_EQ(plan->resident(), MiB(43));
  json wrong = ToJson(SomePlanRequest());
  wrong["chunks"] = {-1};
  EXPECT_EQ(ParsePlanRequest(wrong).error().code, Errc::kProtocol);
}

TEST(Protocol, EveryMemberIsNeededAndTyped) {
  for (const Type& type : Types()) {
    ASSERT_TRUE(type.parses(type.example)) << type.name;
    for (const auto& [key, value] : type.example.items()) {
      json without = type.example;
      without.erase(key);
      EXPECT_FALSE(type.parses(without)) << type.name << " without " << key;
      json wrong = type.example;
      wrong[key] = value.is_object() ? json(1) : json::object();
      EXPECT_FALSE(type.parses(wrong)) << type.name << " with a wrong " << key;
    }
    EXPECT_FALSE(type.parses(json::array())) << type.name;
    EXPECT_FALSE(type.parses(json())) << type.name;
  }
}

TEST(Protocol, AbsurdNumbersAreRefused) {
  json stats = ToJson(WorkerStats{});
  stats["rss"] = -1;
  EXPECT_EQ(ParseWorkerStats(stats).error().code, Errc::kProtocol);
  stats["rss"] = UINT64_MAX;
  EXPECT_FALSE(ParseWorkerStats(stats));
  json result = ToJson(SomeResult());
  result["segments"][0]["start"] = -5;
  EXPECT_FALSE(ParseRunResult(result));
  result = ToJson(SomeResult());
  result["segments"] = json::array_t(70'000, result["segments"][0]);
  EXPECT_FALSE(ParseRunResult(result));
}

TEST(Protocol, ErrorsKeepTheirCodeAndAreMadePrintable) {
  const Error error = ParseError(ToJson(Error{Errc::kNoMemory, "GPU\x1b[2J full"}));
  EXPECT_EQ(error.code, Errc::kNoMemory);
  EXPECT_EQ(error.what, "GPU [2J full");
  EXPECT_EQ(ParseError(json("x")).code, Errc::kProtocol);
}

}  // namespace
}  // namespace headroom::asr
