#include "asr/sim/sim_device.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <vector>

namespace headroom::worker {
namespace {

// y = x * 3, on a card.
class Graph {
 public:
  explicit Graph(SimCard& gpu)
      : context_(ggml_init({1 << 20, nullptr, true})),
        backend_(ggml_backend_dev_init(gpu.device(), nullptr)) {
    x_ = ggml_new_tensor_1d(context_, GGML_TYPE_F32, 4);
    y_ = ggml_scale(context_, x_, 3);
    graph_ = ggml_new_graph(context_);
    ggml_build_forward_expand(graph_, y_);
    buffer_ = ggml_backend_alloc_ctx_tensors(context_, backend_);
  }
  ~Graph() {
    ggml_backend_buffer_free(buffer_);
    ggml_backend_free(backend_);
    ggml_free(context_);
  }
  std::vector<float> Compute(const std::vector<float>& input) {
    ggml_backend_tensor_set(x_, input.data(), 0, 16);
    EXPECT_EQ(ggml_backend_graph_compute(backend_, graph_), GGML_STATUS_SUCCESS);
    std::vector<float> output(4, -1);
    ggml_backend_tensor_get(y_, output.data(), 0, 16);
    return output;
  }
  bool allocated() const { return buffer_ != nullptr; }

 private:
  ggml_context* context_;
  ggml_backend_t backend_;
  ggml_tensor *x_, *y_;
  ggml_cgraph* graph_;
  ggml_backend_buffer_t buffer_;
};

SimCardOptions WithScript(const char* text, Bytes capacity = MiB(4)) {
  return {.capacity = capacity, .script = ParseCardScript(text).value()};
}

TEST(SimCard, ComputesWhatTheCpuComputes) {
  Graph graph(SimCard::Make({}));
  EXPECT_EQ(graph.Compute({1, 2, 3, 4}), (std::vector<float>{3, 6, 9, 12}));
}

TEST(SimCard, CountingTakesTheSameBytesAndComputesNothing) {
  SimCard& computing = SimCard::Make({});
  SimCard& counting = SimCard::Make({.capacity = Bytes(1), .counting = true});
  Graph a(computing), b(counting);
  EXPECT_EQ(b.Compute({1, 2, 3, 4}), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(counting.used(), computing.used());
  EXPECT_GT(counting.used(), Bytes(0));
  EXPECT_EQ(counting.free(), Bytes(0));
}

TEST(SimCard, GpusDoNotKnowEachOther) {
  SimCard& a = SimCard::Make({});
  SimCard& b = SimCard::Make({});
  {
    const Graph graph(a);
    EXPECT_EQ(b.used(), Bytes(0));
    EXPECT_NE(a.device(), b.device());
  }
  EXPECT_EQ(a.used(), Bytes(0));
  EXPECT_GT(a.peak(), Bytes(0));
}

TEST(SimCard, SizesFollowTheProfile) {
  SimCard& gpu =
      SimCard::Make({.profile = {.granularity = KiB(64), .size_rule = SizeRule::kCudaRows}});
  ggml_context* context = ggml_init({1 << 16, nullptr, true});
  const ggml_tensor* padded = ggml_new_tensor_2d(context, GGML_TYPE_Q8_0, 96, 4);
  EXPECT_EQ(ggml_backend_buft_get_alloc_size(gpu.buffer_type(), padded),
            ggml_nbytes(padded) + ggml_row_size(GGML_TYPE_Q8_0, 512 - 96));
  const ggml_tensor* whole = ggml_new_tensor_2d(context, GGML_TYPE_Q8_0, 1024, 4);
  EXPECT_EQ(ggml_backend_buft_get_alloc_size(gpu.buffer_type(), whole), ggml_nbytes(whole));
  ggml_free(context);
  auto* buffer = ggml_backend_buft_alloc_buffer(gpu.buffer_type(), 1);
  EXPECT_EQ(gpu.used(), KiB(64));
  ggml_backend_buffer_free(buffer);
}

TEST(SimCard, RefusesWhatDoesNotFit) {
  SimCard& gpu = SimCard::Make({.capacity = MiB(1)});
  auto* all = ggml_backend_buft_alloc_buffer(gpu.buffer_type(), 1 << 20);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(ggml_backend_buft_alloc_buffer(gpu.buffer_type(), 1), nullptr);
  ggml_backend_buffer_free(all);
}

TEST(SimCard, ANeighbourTakesWhatIsFreeAndGivesItBack) {
  SimCard& gpu = SimCard::Make(WithScript("compute 2: neighbour 1GiB; compute 3: neighbour 1MiB"));
  Graph graph(gpu);
  graph.Compute({0, 0, 0, 0});
  EXPECT_EQ(gpu.neighbour(), Bytes(0));
  graph.Compute({0, 0, 0, 0});
  EXPECT_EQ(gpu.free(), Bytes(0));
  EXPECT_EQ(gpu.neighbour() + gpu.used(), MiB(4));
  EXPECT_FALSE(Graph(gpu).allocated());
  graph.Compute({0, 0, 0, 0});
  EXPECT_EQ(gpu.neighbour(), MiB(1));
}

TEST(SimCard, TheNthAllocationFailsOnce) {
  SimCard& gpu = SimCard::Make(WithScript("allocation 2: fail"));
  EXPECT_TRUE(Graph(gpu).allocated());
  EXPECT_FALSE(Graph(gpu).allocated());
  EXPECT_TRUE(Graph(gpu).allocated());
}

TEST(SimCard, RunsAreCountedFromReady) {
  SimCard& gpu = SimCard::Make(WithScript("run 2: neighbour 1MiB"));
  Graph graph(gpu);
  gpu.BeginRun();
  gpu.BeginRun();
  gpu.Ready();
  graph.Compute({0, 0, 0, 0});
  gpu.BeginRun();
  graph.Compute({0, 0, 0, 0});
  EXPECT_EQ(gpu.neighbour(), Bytes(0));
  gpu.BeginRun();
  graph.Compute({0, 0, 0, 0});
  EXPECT_EQ(gpu.neighbour(), MiB(1));
}

TEST(SimCardDeathTest, ErrorsEndTheProcessInTheDriversWords) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto die = [](const char* script) {
    Graph graph(SimCard::Make(WithScript(script)));
    graph.Compute({1, 2, 3, 4});
  };
  EXPECT_DEATH(die("compute 1: error 719"), "CUDA error: unspecified launch failure");
  EXPECT_DEATH(die("compute 1: error 2"), "CUDA error: out of memory");
  EXPECT_EXIT(die("compute 1: die"), testing::KilledBySignal(SIGKILL), "");
}

}  // namespace
}  // namespace headroom::worker
