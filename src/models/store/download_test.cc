#include "models/store/download.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "models/testing/test_hub.h"

namespace headroom::models {
namespace {

using nlohmann::json;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() {
    options_.limits.answer = Milliseconds(2000);
    options_.limits.stall = Milliseconds(2000);
    options_.first_pause = Milliseconds(5);
    options_.longest_pause = Milliseconds(20);
    options_.spare = Bytes(0);
    hub_.Put("m", bytes_);
    request_.url = hub_.Url("m");
    request_.destination = folder_ / "m";
  }

  Result<Downloaded> Run(CancelToken* cancel = nullptr) {
    return Download(request_, options_, on_progress_, cancel);
  }

  // Fetches the first 300,000 bytes and is then given up by cancelling.
  void LeavePart(const json& answer = {{"hang", 300000}}) {
    hub_.Answer("m", {answer});
    CancelToken cancel;
    on_progress_ = [&](Bytes done, Bytes) {
      if (done >= Bytes(300000)) cancel.Raise();
    };
    const auto stopped = Run(&cancel);
    on_progress_ = {};
    ASSERT_FALSE(stopped);
    ASSERT_EQ(stopped.error().code, Errc::kCancelled);
    ASSERT_THAT(stopped.error().what, HasSubstr("300 kB kept"));
    ASSERT_THAT(folder_.Files(), ElementsAre("m.part", "m.part.json"));
  }

  testing::AssertionResult Whole(const Result<Downloaded>& done) {
    if (!done) return testing::AssertionFailure() << done.error().what;
    if (ReadAll(folder_ / "m") != bytes_) return testing::AssertionFailure() << "other bytes";
    if (done->sha256 != SumOf(bytes_)) return testing::AssertionFailure() << "wrong sum reported";
    if (folder_.Files() != std::vector<std::string>{"m"})
      return testing::AssertionFailure()
             << "left over: " << testing::PrintToString(folder_.Files());
    return testing::AssertionSuccess();
  }

  void ExpectNothingKept(const Result<Downloaded>& done, Errc code) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, code) << done.error().what;
    EXPECT_THAT(folder_.Files(), IsEmpty());
  }

  std::string bytes_ = Noise(1'000'000);
  TestHub hub_;
  TestFolder folder_;
  DownloadRequest request_;
  DownloadOptions options_;
  OnDownloaded on_progress_;
};

TEST_F(DownloadTest, FetchesTheWholeFileAndChecksTheDeclaredSum) {
  hub_.Answer("m", {{{"linked", true}}});
  Bytes last, total;
  on_progress_ = [&](Bytes done, Bytes of) { last = done, total = of; };
  const auto done = Run();
  ASSERT_TRUE(Whole(done));
  EXPECT_TRUE(done->declared);
  EXPECT_EQ(last, Bytes(1'000'000));
  EXPECT_EQ(total, Bytes(1'000'000));
}

TEST_F(DownloadTest, WithoutADeclaredSumSaysSo) {
  const auto done = Run();
  ASSERT_TRUE(Whole(done));
  EXPECT_FALSE(done->declared);
}

TEST_F(DownloadTest, TheTokenGoesToTheHubAndNotToWhereItRedirects) {
  hub_.Answer("m", {{{"redirect", "cdn"}, {"linked", true}}});
  request_.token = "hf_secret";
  const auto done = Run();
  ASSERT_TRUE(Whole(done));
  EXPECT_TRUE(done->declared);
  const auto requests = hub_.Requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0]["authorization"], "Bearer hf_secret");
  EXPECT_EQ(requests[1]["role"], "cdn");
  EXPECT_EQ(requests[1]["authorization"], "");
}

TEST_F(DownloadTest, AWrongSumIsRefusedAndNothingStays) {
  hub_.Answer("m", {{{"linked", SumOf("something else")}}});
  const auto done = Run();
  ExpectNothingKept(done, Errc::kChecksum);
  EXPECT_THAT(done.error().what, HasSubstr("has to be"));
}

TEST_F(DownloadTest, AFileThatIsNotThePinnedOneIsRefusedBeforeItsFirstByte) {
  hub_.Answer("m", {{{"linked", true}}});
  request_.sha256 = SumOf("what it was last time");
  bool fetched = false;
  on_progress_ = [&](Bytes, Bytes) { fetched = true; };
  ExpectNothingKept(Run(), Errc::kChecksum);
  EXPECT_FALSE(fetched);
}

TEST_F(DownloadTest, ThePinnedSumCountsWhenNoneIsDeclared) {
  request_.sha256 = SumOf("what it was last time");
  ExpectNothingKept(Run(), Errc::kChecksum);
}

TEST_F(DownloadTest, ACutConnectionIsContinuedWhereItEnded) {
  hub_.Answer("m", {{{"cut", 400000}}, {{"cut", 350000}}, json::object()});
  ASSERT_TRUE(Whole(Run()));
  const auto requests = hub_.Requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0]["range"], "");
  EXPECT_EQ(requests[1]["range"], "bytes=400000-");
  EXPECT_NE(requests[1]["if_range"], "");
  EXPECT_EQ(requests[2]["range"], "bytes=750000-");
}

TEST_F(DownloadTest, GivesUpAfterSomeTriesAndKeepsThePart) {
  hub_.Answer("m", {{{"cut", 100000}}, {{"status", 503}}});
  const auto done = Run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kNetwork);
  EXPECT_THAT(done.error().what, HasSubstr("HTTP 503; 100 kB kept"));
  EXPECT_THAT(folder_.Files(), ElementsAre("m.part", "m.part.json"));
  EXPECT_EQ(hub_.Requests().size(), 6u);  // one that brought something, five in vain
}

TEST_F(DownloadTest, ASecondProgramGoesOnFromTheFirstOnesPart) {
  LeavePart();
  hub_.Answer("m", {json::object()});
  const auto done = Run();
  ASSERT_TRUE(Whole(done));
  EXPECT_EQ(done->resumed_from, Bytes(300000));
  EXPECT_EQ(hub_.Requests().back()["range"], "bytes=300000-");
}

TEST_F(DownloadTest, ADeclaredSumContinuesAcrossHostsWithOtherEtags) {
  LeavePart({{"hang", 300000}, {"linked", true}});
  hub_.Answer("m", {{{"linked", true}, {"redirect", "cdn"}}});
  hub_.AnswerCdn("m", {{{"etag", "\"another\""}}});
  const auto done = Run();
  ASSERT_TRUE(Whole(done));
  EXPECT_EQ(done->resumed_from, Bytes(300000));
}

TEST_F(DownloadTest, AFileThatChangedBetweenIsFetchedAgain) {
  LeavePart();
  bytes_ = Noise(900'000, 2);
  hub_.Put("m", bytes_);
  hub_.Answer("m", {json::object()});
  const auto done = Run();
  ASSERT_TRUE(Whole(done));
  EXPECT_EQ(done->resumed_from, Bytes(0));
}

TEST_F(DownloadTest, AFileWhoseDeclaredSumChangedIsFetchedAgain) {
  LeavePart({{"hang", 300000}, {"linked", true}});
  bytes_ = Noise(1'000'000, 3);
  hub_.Put("m", bytes_);
  for (const bool redirected : {false, true}) {
    if (redirected) {
      std::filesystem::remove(folder_ / "m");
      hub_.Put("m", Noise(1'000'000));
      LeavePart({{"hang", 300000}, {"linked", true}});
      hub_.Put("m", bytes_);
      hub_.Answer("m", {{{"linked", true}, {"redirect", "cdn"}}});
    } else {
      hub_.Answer("m", {{{"linked", true}}});
    }
    ASSERT_TRUE(Whole(Run()));
  }
}

TEST_F(DownloadTest, APartThatWasDamagedIsFetchedAgainOnce) {
  LeavePart({{"hang", 300000}, {"linked", true}});
  folder_.Write("m.part", std::string(300000, 'x'));
  hub_.Answer("m", {{{"linked", true}}});
  ASSERT_TRUE(Whole(Run()));
}

TEST_F(DownloadTest, ADamagedNoteOfAPartMeansFromTheBeginning) {
  LeavePart();
  const std::string note = ReadAll(folder_ / "m.part.json");
  hub_.Answer("m", {json::object()});
  for (std::size_t length = 0; length < note.size(); length += 7) {
    folder_.Write("m.part", std::string(300000, 'x'));
    folder_.Write("m.part.json", note.substr(0, length));
    ASSERT_TRUE(Whole(Run()));
    std::filesystem::remove(folder_ / "m");
  }
}

TEST_F(DownloadTest, AHostThatIgnoresRangesIsReadFromTheBeginning) {
  LeavePart();
  hub_.Answer("m", {{{"no_range", true}}});
  ASSERT_TRUE(Whole(Run()));
}

TEST_F(DownloadTest, SomeErrorsAreTriedAgain) {
  hub_.Answer("m", {{{"status", 500}},
                    {{"status", 429}, {"retry_after", 0}},
                    {{"status", 503}},
                    json::object()});
  ASSERT_TRUE(Whole(Run()));
  EXPECT_EQ(hub_.Requests().size(), 4u);
}

TEST_F(DownloadTest, OtherErrorsAreFinal) {
  const struct {
    int status;
    Errc code;
  } cases[] = {{404, Errc::kNotFound},
               {401, Errc::kPermission},
               {403, Errc::kPermission},
               {400, Errc::kNetwork}};
  std::size_t requests = 0;
  for (const auto& [status, code] : cases) {
    hub_.Answer("m", {{{"status", status}}});
    const auto done = Run();
    ExpectNothingKept(done, code);
    EXPECT_THAT(done.error().what, HasSubstr(fmt::format("HTTP {}", status)));
    EXPECT_EQ(hub_.Requests().size(), ++requests);
  }
}

TEST_F(DownloadTest, AnExpiredSignatureIsAskedForAgain) {
  hub_.Answer("m", {{{"redirect", "cdn"}}});
  hub_.AnswerCdn("m", {{{"status", 403}}, json::object()});
  ASSERT_TRUE(Whole(Run()));
}

TEST_F(DownloadTest, AHostThatDoesNotAnswerIsGivenUpAtOnce) {
  hub_.Answer("m", {{{"silent", true}}});
  options_.limits.answer = Milliseconds(300);
  const auto begin = SystemClock().Now();
  const auto done = Run();
  EXPECT_LT(SystemClock().Now() - begin, std::chrono::seconds(2));
  ExpectNothingKept(done, Errc::kNetwork);
  EXPECT_THAT(done.error().what, HasSubstr("did not answer within 0.3 s"));
  EXPECT_EQ(hub_.Requests().size(), 1u);
}

TEST_F(DownloadTest, AClosedPortIsGivenUpAtOnce) {
  request_.url = "http://127.0.0.1:1/m";
  ExpectNothingKept(Run(), Errc::kNetwork);
}

TEST_F(DownloadTest, AHostWithoutANameIsGivenUpAtOnce) {
  request_.url = "http://headroom.invalid/m";
  ExpectNothingKept(Run(), Errc::kNetwork);
}

TEST_F(DownloadTest, ASlowTrickleIsGivenUpAndItsPartKept) {
  hub_.Answer("m", {{{"slow", 100}}});
  options_.limits.stall = Milliseconds(400);
  options_.tries = 2;
  const auto done = Run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kNetwork);
  EXPECT_THAT(done.error().what, AnyOf(HasSubstr("sends too slowly")));
  EXPECT_THAT(folder_.Files(), ElementsAre("m.part", "m.part.json"));
}

TEST_F(DownloadTest, AHangInTheMiddleIsContinued) {
  hub_.Answer("m", {{{"hang", 500000}}, json::object()});
  options_.limits.stall = Milliseconds(300);
  ASSERT_TRUE(Whole(Run()));
}

TEST_F(DownloadTest, LyingAboutTheLength) {
  // Too much promised: never whole. Less promised than is there: cut by the client, wrong sum.
  hub_.Answer("m", {{{"length", 2'000'000}, {"cut", 1'000'000}}});
  options_.tries = 2;
  const auto more = Run();
  ASSERT_FALSE(more);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "m"));
  std::filesystem::remove(folder_ / "m.part");
  std::filesystem::remove(folder_ / "m.part.json");

  hub_.Answer("m", {{{"length", 500'000}, {"linked", true}}});
  const auto less = Run();
  ExpectNothingKept(less, Errc::kChecksum);
  EXPECT_THAT(less.error().what, HasSubstr("1.00 MB were promised, 500 kB are sent"));
}

TEST_F(DownloadTest, AnUnknownLengthIsFineWithASum) {
  hub_.Answer("m", {{{"length", false}, {"linked", true}}});
  ASSERT_TRUE(Whole(Run()));
}

TEST_F(DownloadTest, FarLargerThanPublishedIsRefused) {
  request_.limit = Bytes(500'000);
  ExpectNothingKept(Run(), Errc::kChecksum);
  hub_.Answer("m", {{{"length", false}}});  // also when it is only found out on the way
  ExpectNothingKept(Run(), Errc::kChecksum);
}

TEST_F(DownloadTest, AFullDiskIsNoticedBeforeTheFirstByte) {
  options_.free_space = [](const std::filesystem::path&) { return Result<Bytes>(Bytes(999'999)); };
  const auto done = Run();
  ExpectNothingKept(done, Errc::kNoSpace);
  EXPECT_THAT(done.error().what, HasSubstr("1.00 MB are needed"));
}

TEST_F(DownloadTest, AFolderThatCannotBeWrittenIsSaid) {
  request_.destination = "/sys/headroom-model";
  const auto done = Run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kPermission) << done.error().what;
}

TEST_F(DownloadTest, WhatIsNotAcceptedDoesNotGetItsName) {
  request_.accept = [](const std::filesystem::path&) -> Result<> {
    return Fail(Errc::kCorrupt, "not a model");
  };
  ExpectNothingKept(Run(), Errc::kCorrupt);
}

TEST_F(DownloadTest, CancelEndsASilentHostAndAPauseAtOnce) {
  options_.limits.answer = Milliseconds(15000);
  options_.first_pause = options_.longest_pause = Milliseconds(15000);
  for (const json& answer : {json{{"silent", true}}, json{{"status", 503}}}) {
    hub_.Answer("m", {answer});
    CancelToken cancel;
    const auto begin = SystemClock().Now();
    std::thread stopper([&] {
      while (hub_.Requests().empty()) std::this_thread::yield();
      cancel.Raise();
    });
    const auto done = Run(&cancel);
    stopper.join();
    EXPECT_LT(SystemClock().Now() - begin, std::chrono::seconds(5));
    ExpectNothingKept(done, Errc::kCancelled);
  }
}

TEST_F(DownloadTest, RedirectsWithoutEndAreRefused) {
  hub_.Answer("m", {{{"redirect", request_.url}}});
  const auto done = Run();
  ExpectNothingKept(done, Errc::kNetwork);
  EXPECT_THAT(done.error().what, HasSubstr("redirects without end"));
}

TEST(Origin, KnowsDefaultPorts) {
  EXPECT_EQ(Origin("https://Example.org/a?b"), "https://example.org:443");
  EXPECT_EQ(Origin("https://example.org:443/"), Origin("https://example.org"));
  EXPECT_NE(Origin("http://example.org"), Origin("https://example.org"));
  EXPECT_NE(Origin("http://example.org:81"), Origin("http://example.org"));
  EXPECT_EQ(Origin("nonsense with spaces"), "");
}

}  // namespace
}  // namespace headroom::models
