#include "asr/overrides/pool.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include "asr/sim/sim_device.h"

namespace headroom::worker {
namespace {

using Mode = BufferPool::Mode;

class Pooled : public testing::Test {
 protected:
  SimCard& gpu_ = SimCard::Make({.profile = {.largest_buffer = MiB(8)}, .capacity = MiB(64)});
  BufferPool& pool_ = BufferPool::Of(gpu_.buffer_type());

  ggml_backend_buffer_t Allocate(Bytes size) {
    return ggml_backend_buft_alloc_buffer(gpu_.buffer_type(), static_cast<std::size_t>(size.n));
  }
  static Bytes Size(ggml_backend_buffer_t buffer) {
    return Bytes(static_cast<std::int64_t>(ggml_backend_buffer_get_size(buffer)));
  }
};

TEST_F(Pooled, PassesThroughUntilTold) {
  EXPECT_EQ(&BufferPool::Of(gpu_.buffer_type()), &pool_);
  ggml_backend_buffer_free(Allocate(MiB(3)));
  EXPECT_EQ(gpu_.used(), Bytes(0));
  EXPECT_EQ(pool_.usage().held, Bytes(0));
  EXPECT_EQ(pool_.usage().peak, MiB(3));
}

TEST_F(Pooled, WhatIsFreeServesAgain) {
  pool_.Set(Mode::kWarming);
  auto* large = Allocate(MiB(6));
  auto* small = Allocate(MiB(2));
  ggml_backend_buffer_set_usage(small, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  ggml_backend_buffer_free(large);
  ggml_backend_buffer_free(small);
  pool_.Set(Mode::kSealed);
  EXPECT_EQ(Allocate(MiB(1)), small);  // the smallest that is large enough
  EXPECT_EQ(ggml_backend_buffer_get_usage(small), GGML_BACKEND_BUFFER_USAGE_ANY);
  EXPECT_EQ(Allocate(MiB(1)), large);
  EXPECT_EQ(pool_.usage().allocations, 0);
  EXPECT_EQ(pool_.usage().hits, 2);
  EXPECT_EQ(gpu_.used(), MiB(8));
  auto* third = Allocate(MiB(1));
  EXPECT_EQ(pool_.usage().allocations, 1);  // and it is seen
  for (auto* buffer : {large, small, third}) ggml_backend_buffer_free(buffer);
  pool_.Set(Mode::kPassThrough);
  EXPECT_EQ(gpu_.used(), Bytes(0));
}

TEST_F(Pooled, WarmingKeepsNoBufferThatBecameTooSmall) {
  pool_.Set(Mode::kWarming);
  for (int mib = 1; mib <= 7; ++mib) ggml_backend_buffer_free(Allocate(MiB(mib)));
  EXPECT_EQ(gpu_.used(), MiB(7));
  pool_.Set(Mode::kPassThrough);
}

TEST_F(Pooled, GivesUpWhatIsFreeBeforeItFails) {
  pool_.Set(Mode::kWarming);
  std::vector<ggml_backend_buffer_t> buffers;
  for (int i = 0; i < 8; ++i) buffers.push_back(Allocate(MiB(7)));
  for (auto* buffer : buffers) ggml_backend_buffer_free(buffer);
  pool_.Set(Mode::kSealed);
  auto* whole = Allocate(MiB(60));
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(Allocate(MiB(5)), nullptr);
  ggml_backend_buffer_free(whole);
  pool_.Set(Mode::kPassThrough);
  EXPECT_EQ(gpu_.used(), Bytes(0));
}

TEST_F(Pooled, SplitBuffersAreCountedAndLetGo) {
  pool_.Set(Mode::kWarming);
  ggml_context* context = ggml_init({1 << 16, nullptr, true});
  for (int i = 0; i < 4; ++i) ggml_new_tensor_1d(context, GGML_TYPE_F32, 5 << 18);  // 5 MiB
  ggml_backend_buffer_t whole =
      ggml_backend_alloc_ctx_tensors_from_buft(context, gpu_.buffer_type());
  EXPECT_EQ(pool_.usage().held, MiB(20));
  ggml_backend_buffer_free(whole);
  EXPECT_EQ(pool_.usage().held, Bytes(0));
  EXPECT_EQ(gpu_.used(), Bytes(0));
  auto* fresh = Allocate(MiB(5));  // nothing that was given back is handed out
  EXPECT_EQ(Size(fresh), MiB(5));
  ggml_backend_buffer_free(fresh);
  ggml_free(context);
  pool_.Set(Mode::kPassThrough);
}

}  // namespace
}  // namespace headroom::worker
