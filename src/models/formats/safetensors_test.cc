#include "models/formats/safetensors.h"

#include <gtest/gtest.h>

#include "models/formats/import_silero.h"
#include "models/testing/import_damage.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

std::string Encode(const std::string& header, std::size_t data) {
  std::string file;
  Put(file, static_cast<std::uint64_t>(header.size()));
  return file + header + std::string(data, '\0');
}

Errc CodeOf(const std::string& header, std::size_t data = 8) {
  const std::string file = Encode(header, data);
  const auto read = ReadSafetensorsHeader(SourceOf(file));
  return read ? Errc::kInternal : read.error().code;
}

TEST(Safetensors, ReadsTensors) {
  const std::string file = TinySafetensors();
  EXPECT_TRUE(LooksLikeSafetensors(file.substr(0, 64), static_cast<std::int64_t>(file.size())));
  const auto tensors = ReadSafetensorsHeader(SourceOf(file));
  ASSERT_TRUE(tensors) << tensors.error().what;
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ(tensors->at("a").shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(tensors->at("a").offset, static_cast<std::int64_t>(file.size()) - 10);
  EXPECT_EQ(tensors->at("b").bytes, 2);
}

TEST(Safetensors, IsRefusedWhenCut) {
  RefusesEveryCut(TinySafetensors(), ReadSafetensorsHeader);
}

TEST(Safetensors, SurvivesDamage) {
  SurvivesEveryFlip(TinySafetensors(), ReadSafetensorsHeader);
}

TEST(Safetensors, RefusesWhatMakesNoSense) {
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"), Errc::kInternal);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", 16),
            Errc::kCorrupt);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})"),
            Errc::kUnsupported);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[281474976710655,281474976710655],)"
                   R"("data_offsets":[0,8]}})"),
            Errc::kCorrupt);
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                   R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                   12),
            Errc::kCorrupt);  // overlapping
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                   R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})"),
            Errc::kCorrupt);  // twice
  EXPECT_EQ(CodeOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9), Errc::kCorrupt);
  EXPECT_EQ(CodeOf("[1, 2, 3]"), Errc::kCorrupt);
  EXPECT_EQ(CodeOf("{]"), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(R"({"a":17})"), Errc::kCorrupt);
  std::string absurd;
  Put(absurd, ~std::uint64_t{0});
  EXPECT_EQ(ReadSafetensorsHeader(SourceOf(absurd + "{}")).error().code, Errc::kCorrupt);
}

TEST(Safetensors, IsNotTroubledByDeepNesting) {
  EXPECT_EQ(CodeOf(std::string(200000, '[')), Errc::kCorrupt);
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += R"({"a":)";
  EXPECT_EQ(CodeOf(deep), Errc::kCorrupt);
}

TEST(Silero, IsPlannedFromItsTensors) {
  const std::string file = TinySilero();
  const auto plan = PlanSilero(SourceOf(file));
  ASSERT_TRUE(plan) << plan.error().what;
  ASSERT_EQ(plan->tensors.size(), 15U);
  EXPECT_EQ(plan->tensors[0].tensor.name, "frontend.stft_basis");
  EXPECT_EQ(plan->tensors[0].tensor.ne, (std::array<std::int64_t, 4>{256, 258, 1, 1}));
  EXPECT_EQ(plan->keys.count(), 14U);
}

TEST(Silero, RefusesOthers) {
  EXPECT_EQ(PlanSilero(SourceOf(TinySafetensors())).error().code, Errc::kUnsupported);
  std::string renamed = TinySilero();
  renamed.replace(renamed.find("conv3.bias"), 10, "conv9.bias");
  EXPECT_EQ(
      PlanSilero(SourceOf(renamed)).error().what,
      "not Silero VAD: it has no conv3.bias; that is the only .safetensors that can be imported");
  std::string wrong = TinySilero();
  wrong.replace(wrong.find("\"F32\""), 5, "\"I32\"");
  EXPECT_EQ(PlanSilero(SourceOf(wrong)).error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace headroom::models
