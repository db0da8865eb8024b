#include "models/formats/ct2.h"

#include <gtest/gtest.h>

#include "models/formats/ct2_tensors.h"
#include "models/testing/import_damage.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

Result<Ct2Tensors> PlanOf(const ByteSource& source) {
  TRY_ASSIGN(const Ct2Model model, ReadCt2Model(source));
  return PlanCt2Tensors(model, source);
}

Result<Ct2Tensors> PlanOf(const std::vector<Ct2Fixture>& variables,
                          const std::string& spec = "WhisperSpec") {
  const std::string bytes = EncodeCt2(variables, spec);
  return PlanOf(SourceOf(bytes));
}

Ct2Fixture& Named(std::vector<Ct2Fixture>& variables, const std::string& name) {
  for (Ct2Fixture& variable : variables)
    if (variable.name == name) return variable;
  ADD_FAILURE() << name;
  return variables.front();
}

const PlannedTensor* Find(const Ct2Tensors& tensors, const std::string& name) {
  for (const PlannedTensor& planned : tensors.tensors)
    if (planned.tensor.name == name) return &planned;
  return nullptr;
}

// A vocabulary of 10 is no Whisper's, and small enough to try everything; only the vocabulary's
// reader minds.
constexpr std::uint32_t kSmall = 10;

TEST(Ct2, ReadsVariablesAndAliases) {
  const std::string file =
      EncodeCt2({{"a", {2, 3}, 4, std::string(12, 'x')}, {"b", {}, 1, "\x03"}});
  EXPECT_TRUE(LooksLikeCt2(file));
  const auto model = ReadCt2Model(SourceOf(file));
  ASSERT_TRUE(model) << model.error().what;
  EXPECT_EQ(model->spec, "WhisperSpec");
  EXPECT_EQ(model->revision, 3U);
  EXPECT_EQ(model->variables.at("a").dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.substr(static_cast<std::size_t>(model->variables.at("a").offset), 12),
            std::string(12, 'x'));
  EXPECT_EQ(model->aliases.front().second, "a");
}

TEST(Ct2, IsRefusedWhenCut) {
  RefusesEveryCut(EncodeCt2({{"a", {2, 3}, 4, std::string(12, 'x')}, {"b", {}, 1, "\x03"}}),
                  ReadCt2Model);
}

TEST(Ct2, SurvivesDamage) {
  SurvivesEveryFlip(EncodeCt2(TinyWhisper(4, kSmall)),
                    [](const ByteSource& source) { return PlanOf(source); });
  SurvivesEveryFlip(
      EncodeCt2(TinyWhisper(1, kSmall)), [](const ByteSource& source) { return PlanOf(source); },
      7);
}

TEST(Ct2, RefusesWhatMakesNoSense) {
  const auto code = [](const std::vector<Ct2Fixture>& variables) {
    const std::string file = EncodeCt2(variables);
    const auto model = ReadCt2Model(SourceOf(file));
    return model ? Errc::kInternal : model.error().code;
  };
  EXPECT_EQ(code({{"a", {2}, 0, "1234"}}), Errc::kCorrupt);      // bytes and shape differ
  EXPECT_EQ(code({{"a", {1}, 9, "1234"}}), Errc::kUnsupported);  // type
  EXPECT_EQ(code({{"a", {0}, 0, ""}}), Errc::kCorrupt);          // empty
  EXPECT_EQ(code({{"a", {~0U, ~0U, ~0U, ~0U}, 0, ""}}), Errc::kCorrupt);
  EXPECT_EQ(code({{"a", {1, 1, 1, 1, 1}, 0, "1234"}}), Errc::kCorrupt);
  EXPECT_EQ(code({{"a", {1}, 0, "1234"}, {"a", {1}, 0, "1234"}}), Errc::kCorrupt);
  EXPECT_EQ(code({{"", {1}, 0, "1234"}}), Errc::kCorrupt);
  std::string counted = EncodeCt2({{"a", {1}, 0, "1234"}});
  counted[4 + 2 + 12 + 4 + 3] = '\x7f';  // the count's highest byte
  EXPECT_EQ(ReadCt2Model(SourceOf(counted)).error().code, Errc::kCorrupt);
  std::string version = EncodeCt2({{"a", {1}, 0, "1234"}});
  version[0] = 4;
  EXPECT_EQ(ReadCt2Model(SourceOf(version)).error().code, Errc::kUnsupported);
  EXPECT_EQ(ReadCt2Model(SourceOf(EncodeCt2({{"a", {1}, 0, "1234"}}) + "x")).error().code,
            Errc::kCorrupt);
}

TEST(Ct2Tensors, SplitsStackedLayersAndNamesThemAll) {
  const std::vector<Ct2Fixture> variables = TinyWhisper(4, kSmall);
  const std::string bytes = EncodeCt2(variables);
  const auto planned = PlanOf(SourceOf(bytes));
  ASSERT_TRUE(planned) << planned.error().what;
  EXPECT_EQ(planned->shape.width, 2);
  EXPECT_EQ(planned->shape.encoder_layers, 1);
  EXPECT_EQ(planned->shape.decoder_ffn, 8);
  EXPECT_EQ(planned->file_type, 1U);
  EXPECT_EQ(planned->tensors.size(), 11U + 15 + 24);
  const PlannedTensor* q = Find(*planned, "enc.blocks.0.attn.q.weight");
  const PlannedTensor* k = Find(*planned, "enc.blocks.0.attn.k.weight");
  const PlannedTensor* v = Find(*planned, "enc.blocks.0.attn.v.weight");
  ASSERT_TRUE(q && k && v);
  EXPECT_EQ(k->offset - q->offset, 2 * 2 * 2);
  EXPECT_EQ(v->offset - q->offset, 2 * 2 * 2 * 2);
  EXPECT_EQ(Find(*planned, "enc.blocks.0.attn.k.bias"), nullptr);
  const PlannedTensor* conv = Find(*planned, "enc.conv.0.weight");
  EXPECT_EQ(conv->tensor.ne, (std::array<std::int64_t, 4>{3, 80, 2, 1}));
  EXPECT_EQ(conv->tensor.type, GgmlType::kF32);
  EXPECT_EQ(q->tensor.type, GgmlType::kF16);
}

TEST(Ct2Tensors, TakesEveryNumberFormat) {
  const std::pair<std::uint8_t, std::uint32_t> types[] = {{0, 0}, {1, 1}, {2, 1}, {4, 1}, {5, 32}};
  for (const auto& [type, file_type] : types) {
    const auto planned = PlanOf(TinyWhisper(type, kSmall));
    ASSERT_TRUE(planned) << int{type} << planned.error().what;
    EXPECT_EQ(planned->file_type, file_type) << int{type};
  }
  const auto int8 = PlanOf(TinyWhisper(1, kSmall));
  const PlannedTensor* v = Find(*int8, "dec.blocks.0.cross_attn.v.weight");
  EXPECT_EQ(v->divisors, (std::vector<float>{2, 2}));
  EXPECT_EQ(v->per_divisor, 2);
}

TEST(Ct2Tensors, MissesEveryWeight) {
  const std::vector<Ct2Fixture> whole = TinyWhisper(1, kSmall);
  for (std::size_t i = 1; i < whole.size(); ++i) {
    if (whole[i].dims.empty()) continue;
    std::vector<Ct2Fixture> without = whole;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    const auto planned = PlanOf(without);
    ASSERT_FALSE(planned) << whole[i].name;
    EXPECT_TRUE(planned.error().code == Errc::kCorrupt ||
                planned.error().code == Errc::kUnsupported);
  }
}

TEST(Ct2Tensors, RefusesEveryOtherShape) {
  const std::vector<Ct2Fixture> whole = TinyWhisper(0, kSmall);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].dims.empty()) continue;
    std::vector<Ct2Fixture> other = whole;
    other[i].dims.push_back(1);
    EXPECT_FALSE(PlanOf(other)) << whole[i].name;
  }
}

TEST(Ct2Tensors, RefusesWhatWhisperIsNot) {
  const auto refused = [](auto change) {
    std::vector<Ct2Fixture> variables = TinyWhisper(0, kSmall);
    change(variables);
    const auto planned = PlanOf(variables);
    return planned ? "" : planned.error().what;
  };
  EXPECT_EQ(PlanOf(TinyWhisper(0, kSmall), "TransformerSpec").error().what,
            "a CTranslate2 model, and not Whisper: TransformerSpec");
  EXPECT_EQ(refused([](auto& v) { Named(v, "decoder/activation").data = "\x01"; }),
            "decoder/activation is 1; Whisper's is 3");
  EXPECT_EQ(refused([](auto& v) { v.push_back({"decoder/extra", {1}, 0, "1234"}); }),
            "it has a weight that Whisper does not have: decoder/extra");
  EXPECT_EQ(
      refused([](auto& v) { Named(v, "decoder/layer_0/attention/linear_1/bias").data[0] = 1; }),
      "decoder/layer_0/attention/linear_1/bias has a bias for the keys, which Whisper does not");
  EXPECT_EQ(refused([](auto& v) { Named(v, "encoder/num_heads").data = std::string("\x03\0", 2); }),
            "encoder/num_heads is 3 for a width of 2");
}

TEST(Ct2Tensors, RefusesScalesThatAreNoScales) {
  for (const float bad : {0.0F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    std::vector<Ct2Fixture> variables = TinyWhisper(1, kSmall);
    std::string& data = Named(variables, "encoder/layer_0/ffn/linear_1/weight_scale").data;
    std::memcpy(data.data() + 4, &bad, 4);
    EXPECT_EQ(PlanOf(variables).error().code, Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace headroom::models
