#include "asr/overrides/conformer_stem.h"

#include <ggml-cpu.h>
#include <gtest/gtest.h>
#include <src/conformer/conformer.h>

#include <array>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace headroom::worker {
namespace {

using transcribe::conformer::PreEncodeValidMasks;

struct Shape {
  std::int64_t times = 0, bands = 0, channels = 0;
  ggml_type type = GGML_TYPE_F32;
  bool biased = true;
  std::int64_t batch = 1;
};

/// Random weights and features, and graphs of both stems over them.
class Model {
 public:
  explicit Model(const Shape& shape) : biased_(shape.biased) {
    const std::int64_t n = shape.channels, features = n * ((shape.bands + 7) / 8);
    weights = {.conv0_w = Weights(shape.type, {3, 3, 1, n}, 9),
               .conv0_b = Bias(n),
               .conv2_w = Weights(shape.type, {3, 3, 1, n}, 9),
               .conv2_b = Bias(n),
               .conv3_w = Weights(shape.type, {1, 1, n, n}, n),
               .conv3_b = Bias(n),
               .conv5_w = Weights(shape.type, {3, 3, 1, n}, 9),
               .conv5_b = Bias(n),
               .conv6_w = Weights(shape.type, {1, 1, n, n}, n),
               .conv6_b = Bias(n),
               .out_w = Weights(shape.type, {features, kWidth, 1, 1}, features),
               .out_b = Bias(kWidth)};
    mel = Weights(GGML_TYPE_F32, {shape.times, shape.bands, 1, shape.batch}, 1);
  }

  ggml_tensor* Build(bool use_override, PreEncodeValidMasks* masks = nullptr) {
    UseStemOverride(use_override);
    ggml_tensor* built = transcribe::conformer::build_pre_encode(context_.get(), weights, mel,
                                                                 policy, "stem", "test", masks);
    UseStemOverride(false);
    return built;
  }

  bool IsOurs(PreEncodeValidMasks* masks = nullptr) {
    ggml_cgraph* graph = GraphOf(Build(true, masks));
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i)
      if (ggml_graph_node(graph, i)->op == GGML_OP_CUSTOM) return true;
    return false;
  }

  std::vector<float> Computed(ggml_tensor* built, int threads) {
    EXPECT_EQ(ggml_graph_compute_with_ctx(context_.get(), GraphOf(built), threads),
              GGML_STATUS_SUCCESS);
    const auto* numbers = static_cast<const float*>(built->data);
    return {numbers, numbers + ggml_nelements(built)};
  }

  static constexpr std::int64_t kWidth = 24;
  transcribe::conformer::PreEncodeView weights{};
  transcribe::conformer::ConvPolicy policy{};
  ggml_tensor* mel = nullptr;

 private:
  // A sum of `summed` products is as large as what comes in.
  ggml_tensor* Weights(ggml_type type, const std::array<std::int64_t, 4>& shape,
                       std::int64_t summed) {
    ggml_tensor* tensor = ggml_new_tensor(context_.get(), type, 4, shape.data());
    std::normal_distribution<float> number(0, 1 / std::sqrt(static_cast<float>(summed)));
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i) {
      const float drawn = number(random_);
      if (type == GGML_TYPE_F16)
        static_cast<ggml_fp16_t*>(tensor->data)[i] = ggml_fp32_to_fp16(drawn);
      else
        static_cast<float*>(tensor->data)[i] = drawn;
    }
    return tensor;
  }
  ggml_tensor* Bias(std::int64_t n) {
    return biased_ ? Weights(GGML_TYPE_F32, {n, 1, 1, 1}, 1) : nullptr;
  }
  ggml_cgraph* GraphOf(ggml_tensor* built) {
    ggml_cgraph* graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, built);
    return graph;
  }

  bool biased_;
  std::mt19937 random_{1};
  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_{
      ggml_init({.mem_size = 64 << 20, .mem_buffer = nullptr, .no_alloc = false}), ggml_free};
};

TEST(ConformerStem, DiffersFromTheEnginesOnlyByRounding) {
  for (const Shape& shape :
       {Shape{1, 8, 32}, Shape{2, 16, 32, GGML_TYPE_F16}, Shape{43, 80, 64, GGML_TYPE_F16, false},
        Shape{96, 20, 40}, Shape{101, 128, 96, GGML_TYPE_F16},
        Shape{9, 8, 32, GGML_TYPE_F32, false}}) {
    SCOPED_TRACE(testing::Message() << shape.times << " times, " << shape.bands << " bands");
    Model model(shape);
    ASSERT_TRUE(model.IsOurs());
    ggml_tensor *theirs = model.Build(false), *ours = model.Build(true);
    EXPECT_TRUE(ggml_are_same_shape(theirs, ours));
    EXPECT_EQ(theirs->type, ours->type);
    EXPECT_STREQ(theirs->name, ours->name);
    const std::vector<float> expected = model.Computed(theirs, 1);
    for (const int threads : {1, 3}) {
      const std::vector<float> got = model.Computed(ours, threads);
      ASSERT_EQ(got.size(), expected.size());
      double error = 0, size = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        error += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
        size += std::pow(static_cast<double>(expected[i]), 2);
      }
      // The engine rounds what goes into its products to 11 bits.
      EXPECT_LT(std::sqrt(error / size), 2e-3);
    }
  }
}

TEST(ConformerStem, TheEngineBuildsWhatTheOverrideDoesNotCover) {
  const Shape shape{.times = 43, .bands = 80, .channels = 32};
  EXPECT_TRUE(Model(shape).IsOurs());

  // Which it refuses: of 80 bands 11 come out when they are padded on one side, else 10.
  Model causal(shape);
  causal.policy.causal_pre_encode = true;
  EXPECT_EQ(causal.Build(true), nullptr);
  Model mismatched(shape), other({.times = 43, .bands = 96, .channels = 32});
  mismatched.weights.out_w = other.weights.out_w;
  EXPECT_EQ(mismatched.Build(true), nullptr);

  Shape several = shape;
  several.batch = 2;
  EXPECT_FALSE(Model(several).IsOurs());

  PreEncodeValidMasks masks;
  EXPECT_FALSE(Model(shape).IsOurs(&masks));
}

}  // namespace
}  // namespace headroom::worker
