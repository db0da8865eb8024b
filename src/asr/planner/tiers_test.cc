#include "asr/planner/tiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/testing/temp_folder.h"
#include "models/formats/skeleton.h"

namespace headroom::planner {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A store whose models are holes: plans do not read weights.
class TiersTest : public testing::Test {
 protected:
  TiersTest() { ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1); }

  models::Store Store() {
    auto catalogue = models::LoadCatalogue();
    EXPECT_TRUE(catalogue.has_value()) << catalogue.error().what;
    return {folder_.path(), std::move(*catalogue)};
  }
  void Put(const models::Store& store, const std::string& name, const std::string& quantisation) {
    const auto skeleton = models::MakeSkeleton(name, quantisation);
    ASSERT_TRUE(skeleton.has_value());
    ASSERT_TRUE(models::WriteSkeleton(*skeleton, store.PathOf({name, quantisation})).has_value());
  }
  static TierOptions Options(Bytes host) {
    TierOptions options;
    options.host.total = host;
    return options;
  }

  const TempFolder folder_;
};

TEST_F(TiersTest, WithoutAnyModelItSaysHowToGetOne) {
  const auto tiers = MakeTiers(Store(), Options(GiB(8)));
  ASSERT_FALSE(tiers.has_value());
  EXPECT_EQ(tiers.error().code, Errc::kNotFound);
  EXPECT_THAT(tiers.error().what, HasSubstr("headroom models pull"));
}

TEST_F(TiersTest, ChoosesTheDefaultsThatAreHereBestFirst) {
  const models::Store store = Store();
  Put(store, "whisper-tiny.en", "F16");
  Put(store, "whisper-base", "Q8_0");
  const auto tiers = MakeTiers(store, Options(GiB(8)));
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  ASSERT_EQ(tiers->tiers.size(), 2U);
  EXPECT_EQ(tiers->tiers[0].Title(), "whisper-base Q8_0 on cpu");
  EXPECT_EQ(tiers->tiers[1].Title(), "whisper-tiny.en F16 on cpu");
  EXPECT_EQ(tiers->tiers[0].plan.kind, memory::DeviceKind::kCpu);
  EXPECT_FALSE(tiers->tiers[0].on_gpu());
  EXPECT_EQ(tiers->tiers[0].traits.architecture, "whisper");
  // Weights and workspace are really counted.
  EXPECT_GT(tiers->tiers[0].plan.Resident(), MiB(75));
  EXPECT_GT(tiers->tiers[1].plan.WorkspaceFor(Milliseconds(30'000)).bytes, MiB(5));
}

TEST_F(TiersTest, OnTheCpuTheQuickestQuantisationThatIsAsGood) {
  const models::Store store = Store();
  for (const char* quantisation : {"F16", "Q8_0", "Q5_K_M", "Q4_K_M"}) {
    Put(store, "whisper-base", quantisation);
    Put(store, "whisper-tiny.en", quantisation);
  }
  const auto tiers = MakeTiers(store, Options(GiB(8)));
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  ASSERT_EQ(tiers->tiers.size(), 2U);
  // With a kernel of ours for this CPU Q8_0 is faster than Q5_K_M.
  EXPECT_THAT(tiers->tiers[0].Title(),
              testing::AnyOf("whisper-base Q8_0 on cpu", "whisper-base Q5_K_M on cpu"));
  // Its Q5_K_M makes 3 % more errors than its Q8_0.
  EXPECT_EQ(tiers->tiers[1].Title(), "whisper-tiny.en Q8_0 on cpu");
}

TEST_F(TiersTest, OnTheCpuTheSmallCanaryGoesFirstForThoseWhoSayTheLanguage) {
  const models::Store store = Store();
  Put(store, "whisper-base", "Q8_0");
  Put(store, "canary-180m-flash", "Q8_0");
  const auto titles = [&](const std::string& language) {
    TierOptions options = Options(GiB(8));
    options.language = language;
    const auto tiers = MakeTiers(store, options);
    EXPECT_TRUE(tiers.has_value()) << tiers.error().what;
    std::vector<std::string> all;
    for (const asr::Tier& tier : tiers->tiers) all.push_back(tier.Title());
    return all;
  };
  const std::string canary = "canary-180m-flash Q8_0 on cpu", whisper = "whisper-base Q8_0 on cpu";
  EXPECT_THAT(titles("de"), testing::ElementsAre(canary, whisper));
  EXPECT_THAT(titles("pl"), testing::ElementsAre(whisper)) << "which Canary does not know";
  EXPECT_THAT(titles(""), testing::ElementsAre(whisper)) << "Canary cannot find out";
}

TEST_F(TiersTest, WhatCannotFitIsRefusedWithTheArithmetic) {
  const models::Store store = Store();
  Put(store, "whisper-tiny.en", "F16");
  Put(store, "whisper-base", "F16");
  const auto tiers = MakeTiers(store, Options(MiB(220)));
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  ASSERT_EQ(tiers->tiers.size(), 1U);
  EXPECT_EQ(tiers->tiers[0].Title(), "whisper-tiny.en F16 on cpu");
  ASSERT_EQ(tiers->notes.size(), 1U);
  EXPECT_THAT(tiers->notes[0], HasSubstr("whisper-base F16 on cpu: UNSAFE"));
  const auto none = MakeTiers(store, Options(MiB(50)));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Errc::kNoMemory);
}

TEST_F(TiersTest, WishesAreObeyedAndWhatIsMissingIsSaid) {
  const models::Store store = Store();
  Put(store, "whisper-tiny.en", "F16");
  TierOptions options = Options(GiB(8));
  options.config = {{"whisper-base:Q8_0"}, {"whisper-tiny.en", Place::kCpu}, {"whisper-tine"}};
  const auto tiers = MakeTiers(store, options);
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  ASSERT_EQ(tiers->tiers.size(), 1U);
  ASSERT_EQ(tiers->notes.size(), 2U);
  EXPECT_THAT(tiers->notes[0], HasSubstr("headroom models pull whisper-base:Q8_0"));
  EXPECT_THAT(tiers->notes[1], HasSubstr("whisper-tine"));
}

TEST_F(TiersTest, OnAGpuTheBestThatFitsAndTheRestWithTheArithmetic) {
  const models::Store store = Store();
  Put(store, "canary-1b-flash", "F32");
  Put(store, "canary-1b-flash", "Q8_0");
  Put(store, "canary-180m-flash", "Q8_0");
  Put(store, "whisper-tiny.en", "F16");
  TierOptions options = Options(GiB(8));
  options.gpu = Gpu{.device = "0000:01:00.0",
                    .name = "the GPU",
                    .total = MiB(4096),
                    .worker = "headroom-worker-sim"};
  options.config = {{"canary-1b-flash:F32"}, {"whisper-tiny.en", Place::kCpu}};
  auto tiers = MakeTiers(store, options);
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  ASSERT_GE(tiers->notes.size(), 1U);
  EXPECT_THAT(tiers->notes[0], HasSubstr("canary-1b-flash F32 on the GPU: UNSAFE"));
  EXPECT_THAT(tiers->notes[0], HasSubstr("of 4096 MiB > 80 %"));
  EXPECT_FALSE(tiers->tiers[0].on_gpu());

  options.config.clear();
  tiers = MakeTiers(store, options);
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  std::vector<std::string> titles;
  for (const asr::Tier& tier : tiers->tiers) titles.push_back(tier.Title());
  EXPECT_THAT(titles, testing::ElementsAre("canary-1b-flash Q8_0 on the GPU",
                                           "canary-180m-flash Q8_0 on the GPU",
                                           "whisper-tiny.en F16 on cpu"));
  EXPECT_EQ(tiers->tiers[0].device, "0000:01:00.0");
  EXPECT_EQ(tiers->tiers[0].worker, "headroom-worker-sim");

  options.language = "de";
  tiers = MakeTiers(store, options);
  ASSERT_TRUE(tiers.has_value()) << tiers.error().what;
  ASSERT_EQ(tiers->tiers.size(), 3U);
  EXPECT_EQ(tiers->tiers.back().Title(), "canary-180m-flash Q8_0 on cpu");
  EXPECT_THAT(tiers->notes.back(), HasSubstr("does not know the language \"de\""));
}

TEST_F(TiersTest, OnAGpuABatchIsCountedAndHalvedUntilItFits) {
  const models::Store store = Store();
  Put(store, "whisper-tiny.en", "F16");
  TierOptions options = Options(GiB(8));
  options.gpu = Gpu{.device = "0000:01:00.0",
                    .name = "the GPU",
                    .total = MiB(4096),
                    .worker = "headroom-worker-sim"};
  options.config = {{"whisper-tiny.en", Place::kGpu}, {"whisper-tiny.en", Place::kCpu}};
  const auto alone = MakeTiers(store, options);
  ASSERT_TRUE(alone.has_value()) << alone.error().what;
  options.batch = 4;
  const auto four = MakeTiers(store, options);
  ASSERT_TRUE(four.has_value()) << four.error().what;
  const memory::Plan& plan = four->tiers[0].plan;
  EXPECT_EQ(plan.batch, 4);
  EXPECT_EQ(four->tiers[1].plan.batch, 1) << "on the CPU always one";
  EXPECT_TRUE(memory::Validate(plan).has_value());
  const Milliseconds longest(30'000);
  const Bytes peak = alone->tiers[0].plan.Peak(longest).bytes;
  EXPECT_EQ(plan.Peak(longest).bytes, peak);
  EXPECT_GT(plan.Peak({longest, true}).bytes, peak);
  // A GPU that is full with three of them: the peak with four is above 85 % of it.
  options.gpu->total = Bytes((plan.Peak({longest, true}).bytes - MiB(1)).n * 100 / 85);
  const auto fewer = MakeTiers(store, options);
  ASSERT_TRUE(fewer.has_value()) << fewer.error().what;
  EXPECT_EQ(fewer->tiers[0].plan.batch, 2);
  ASSERT_EQ(fewer->notes.size(), 1U);
  EXPECT_THAT(fewer->notes[0], HasSubstr("on the GPU: 2 at once, not 4: UNSAFE"));
  options.gpu->total = Bytes((peak + MiB(1)).n * 100 / 85);
  const auto one = MakeTiers(store, options);
  ASSERT_TRUE(one.has_value()) << one.error().what;
  EXPECT_EQ(one->tiers[0].plan.batch, 1);
  EXPECT_TRUE(one->tiers[0].plan.batched.empty());
}

TEST_F(TiersTest, AGpuWithoutAWorkerIsSaid) {
  const models::Store store = Store();
  Put(store, "whisper-tiny.en", "F16");
  TierOptions options = Options(GiB(8));
  options.config = {{"whisper-tiny.en", Place::kGpu}};
  const auto tiers = MakeTiers(store, options);
  ASSERT_FALSE(tiers.has_value());
  EXPECT_EQ(tiers.error().code, Errc::kUnsupported);
}

TEST_F(TiersTest, ACalibrationIsWhatPlansOfItsGpuCountWith) {
  const models::Store store = Store();
  Put(store, "whisper-base", "Q8_0");
  TierOptions options = Options(GiB(8));
  options.place = Place::kGpu;
  options.gpu = Gpu{.device = "0000:01:00.0",
                    .name = "A GPU",
                    .kind = memory::DeviceKind::kDiscrete,
                    .total = MiB(4096),
                    .worker = "headroom-worker-cuda"};
  const auto before = MakeTiers(store, options);
  ASSERT_TRUE(before.has_value()) << before.error().what;
  EXPECT_EQ(before->tiers[0].plan.driver, MiB(240));
  EXPECT_EQ(before->tiers[0].gpu.device, "0000:01:00.0");
  Calibration calibration;
  calibration.profile = R"({"registry": "Vulkan", "alignment": 4096, "unsupported": ["IM2COL"]})";
  calibration.context = MiB(300);
  calibration.growth = MiB(11);
  options.gpu->calibration = calibration;
  const auto after = MakeTiers(store, options);
  ASSERT_TRUE(after.has_value()) << after.error().what;
  EXPECT_EQ(after->tiers[0].plan.driver, MiB(311));
  EXPECT_NE(after->tiers[0].plan.Peak(Milliseconds(30'000)).bytes - MiB(71),
            before->tiers[0].plan.Peak(Milliseconds(30'000)).bytes)
      << "the profile makes other graphs";
}

}  // namespace
}  // namespace headroom::planner
