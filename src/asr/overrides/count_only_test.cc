#include "asr/overrides/count_only.h"

#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace headroom::worker {
namespace {

std::size_t ResidentPages(const std::vector<float>& of) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<std::uintptr_t>(of.data());
  const std::uintptr_t from = (at + page - 1) / page * page;
  const std::size_t pages = (at + of.size() * sizeof(float) - from) / page;
  std::vector<unsigned char> in_core(pages);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(from), pages * page, in_core.data()), 0);
  return static_cast<std::size_t>(
      std::ranges::count_if(in_core, [](unsigned char one) { return (one & 1U) != 0; }));
}

TEST(CountOnly, NothingIsZerosWithoutMemory) {
  std::vector<float> large(4 << 20, 1.0F);
  EXPECT_GT(ResidentPages(large), 4000U);
  FillWithNothing(std::as_writable_bytes(std::span(large)));
  EXPECT_LT(ResidentPages(large), 10U);
  EXPECT_EQ(std::ranges::count(large, 0.0F), std::ssize(large));
  std::vector<float> small(1000, 1.0F);
  FillWithNothing(std::as_writable_bytes(std::span(small).subspan(1, 998)));
  EXPECT_EQ(std::ranges::count(small, 0.0F), 998);
  EXPECT_EQ(small.front() + small.back(), 2.0F);
}

/// One tensor in memory of the CPU.
struct Tensor {
  explicit Tensor(std::int64_t elements) {
    context.reset(ggml_init({.mem_size = 1 << 16, .mem_buffer = nullptr, .no_alloc = true}));
    tensor = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, elements);
    buffer = ggml_backend_alloc_ctx_tensors_from_buft(
        context.get(),
        ggml_backend_dev_buffer_type(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)));
  }
  ~Tensor() { ggml_backend_buffer_free(buffer); }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  /// What comes out after ones were put in.
  float Echo() const {
    std::vector<float> data(static_cast<std::size_t>(tensor->ne[0]), 1.0F);
    ggml_backend_tensor_set(tensor, data.data(), 0, data.size() * sizeof(float));
    ggml_backend_tensor_get(tensor, data.data(), 0, data.size() * sizeof(float));
    return *std::ranges::min_element(data);
  }

  std::unique_ptr<ggml_context, decltype(&ggml_free)> context{nullptr, ggml_free};
  ggml_tensor* tensor = nullptr;
  ggml_backend_buffer_t buffer = nullptr;
};

TEST(CountOnly, LargeTensorsOfTheHostHoldNothingWhileOneExists) {
  const Tensor large(1 << 20), small(100);
  {
    const CountOnly counting;
    EXPECT_TRUE(CountOnly::Now());
    EXPECT_EQ(large.Echo(), 0.0F);
    EXPECT_EQ(small.Echo(), 1.0F);
  }
  EXPECT_FALSE(CountOnly::Now());
  EXPECT_EQ(large.Echo(), 1.0F);
}

TEST(CountOnly, DequantisingGivesZeros) {
  std::vector<ggml_fp16_t> half(1000, ggml_fp32_to_fp16(1.0F));
  std::vector<float> full(half.size(), 2.0F);
  {
    const CountOnly counting;
    ggml_get_type_traits(GGML_TYPE_F16)->to_float(half.data(), full.data(), 1000);
    EXPECT_EQ(std::ranges::count(full, 0.0F), 1000);
  }
  ggml_get_type_traits(GGML_TYPE_F16)->to_float(half.data(), full.data(), 1000);
  EXPECT_EQ(std::ranges::count(full, 1.0F), 1000);
}

}  // namespace
}  // namespace headroom::worker
