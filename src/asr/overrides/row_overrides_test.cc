// Through the engine: what it computes with our row operations in place of its own, against the
// formulas.
#include <ggml-cpu.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <vector>

namespace headroom::worker {
namespace {

using Sizes = std::array<std::int64_t, GGML_MAX_DIMS>;

class RowOverrides : public testing::Test {
 protected:
  // Numbers that half precision holds exactly.
  ggml_tensor* Tensor(ggml_type type, const Sizes& sizes, int first) {
    ggml_tensor* tensor = ggml_new_tensor(context_.get(), type, GGML_MAX_DIMS, sizes.data());
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i)
      ggml_set_f32_1d(tensor, static_cast<int>(i), static_cast<float>((first + i) % 97) / 4);
    return tensor;
  }
  static float At(const ggml_tensor* tensor, const Sizes& at) {
    Sizes inside{};  // what there is less of is repeated
    for (std::size_t d = 0; d < at.size(); ++d) inside[d] = at[d] % tensor->ne[d];
    return ggml_get_f32_nd(tensor, static_cast<int>(inside[0]), static_cast<int>(inside[1]),
                           static_cast<int>(inside[2]), static_cast<int>(inside[3]));
  }
  void Compute(ggml_tensor* result, int threads) {
    ggml_cgraph* graph = ggml_new_graph(context_.get());
    ggml_build_forward_expand(graph, result);
    ASSERT_EQ(ggml_graph_compute_with_ctx(context_.get(), graph, threads), GGML_STATUS_SUCCESS);
  }
  static void ExpectAll(const ggml_tensor* result,
                        const std::function<float(const Sizes& at)>& expected) {
    Sizes at{};
    for (at[3] = 0; at[3] < result->ne[3]; ++at[3])
      for (at[2] = 0; at[2] < result->ne[2]; ++at[2])
        for (at[1] = 0; at[1] < result->ne[1]; ++at[1])
          for (at[0] = 0; at[0] < result->ne[0]; ++at[0])
            ASSERT_EQ(At(result, at), expected(at))
                << at[0] << " " << at[1] << " " << at[2] << " " << at[3];
  }

  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_{
      ggml_init({.mem_size = 8 << 20, .mem_buffer = nullptr, .no_alloc = false}), &ggml_free};
};

TEST_F(RowOverrides, OneNumberForEachRowIsAddedOrMultiplied) {
  ggml_tensor* rows = Tensor(GGML_TYPE_F32, {37, 5, 3, 2}, 1);
  // For each row; repeated over a dimension; the ordinary case, which is the engine's.
  for (const Sizes& sizes :
       {Sizes{1, 5, 3, 2}, Sizes{1, 5, 1, 1}, Sizes{1, 1, 3, 1}, Sizes{37, 5, 1, 1}}) {
    ggml_tensor* numbers = Tensor(GGML_TYPE_F32, sizes, 50);
    for (const int threads : {1, 3}) {
      ggml_tensor* sum = ggml_add(context_.get(), rows, numbers);
      Compute(sum, threads);
      ExpectAll(sum, [&](const Sizes& at) { return At(rows, at) + At(numbers, at); });
      ggml_tensor* product = ggml_mul(context_.get(), rows, numbers);
      Compute(product, threads);
      ExpectAll(product, [&](const Sizes& at) { return At(rows, at) * At(numbers, at); });
    }
  }
}

TEST_F(RowOverrides, RowsOfAView) {
  ggml_tensor* all = Tensor(GGML_TYPE_F32, {40, 9, 2, 1}, 3);
  ggml_tensor* part =
      ggml_view_3d(context_.get(), all, 20, 4, 2, all->nb[1] * 2, all->nb[2], 8 * sizeof(float));
  ggml_tensor* numbers = Tensor(GGML_TYPE_F32, {1, 4, 1, 1}, 11);
  ggml_tensor* sum = ggml_add(context_.get(), part, numbers);
  Compute(sum, 2);
  ExpectAll(sum, [&](const Sizes& at) {
    return At(all, {at[0] + 8, at[1] * 2, at[2], 0}) + At(numbers, at);
  });
}

TEST_F(RowOverrides, TensorsArePutOneBehindTheOther) {
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16}) {
    for (std::size_t along = 0; along < GGML_MAX_DIMS; ++along) {
      Sizes first{7, 3, 2, 2}, second = first;
      second[along] = 5;
      ggml_tensor *a = Tensor(type, first, 1), *b = Tensor(type, second, 60);
      for (const int threads : {1, 3}) {
        ggml_tensor* both = ggml_concat(context_.get(), a, b, static_cast<int>(along));
        Compute(both, threads);
        ExpectAll(both, [&](Sizes at) {
          if (at[along] < first[along]) return At(a, at);
          at[along] -= first[along];
          return At(b, at);
        });
      }
    }
  }
}

TEST_F(RowOverrides, WhatIsTransposedIsTheEngines) {
  ggml_tensor* a = ggml_transpose(context_.get(), Tensor(GGML_TYPE_F32, {6, 4, 1, 1}, 1));
  ggml_tensor* b = Tensor(GGML_TYPE_F32, {4, 3, 1, 1}, 30);
  ggml_tensor* both = ggml_concat(context_.get(), a, b, 1);
  Compute(both, 2);
  ExpectAll(both, [&](const Sizes& at) {
    return at[1] < 6 ? At(a, at) : At(b, {at[0], at[1] - 6, 0, 0});
  });
}

}  // namespace
}  // namespace headroom::worker
