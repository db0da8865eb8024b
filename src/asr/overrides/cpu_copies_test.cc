#include "asr/overrides/cpu_copies.h"

#include <ggml.h>
#include <gguf.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>

namespace headroom::worker {
namespace {

class CpuCopiesTest : public testing::Test {
 protected:
  void Add(const char* name, ggml_type type, std::int64_t elements) {
    ggml_tensor* tensor = ggml_new_tensor_1d(tensors_.get(), type, elements);
    ggml_set_name(tensor, name);
    gguf_add_tensor(file_.get(), tensor);
  }
  Result<Bytes> Copies() {
    gguf_write_to_file(file_.get(), path_.c_str(), false);
    return CpuCopies(path_);
  }

  const std::string path_ = testing::TempDir() + "copies.gguf";
  std::unique_ptr<gguf_context, decltype(&gguf_free)> file_{gguf_init_empty(), &gguf_free};
  std::unique_ptr<ggml_context, decltype(&ggml_free)> tensors_{
      ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = false}), &ggml_free};
};

TEST_F(CpuCopiesTest, ArePointwiseConvolutionsInHalfPrecision) {
  Add("enc.blocks.0.conv.pointwise1.weight", GGML_TYPE_F16, 1'000);
  Add("enc.blocks.11.conv.pointwise2.weight", GGML_TYPE_F16, 500);
  Add("enc.blocks.1.conv.pointwise1.weight", GGML_TYPE_F32, 700);  // is used as it is
  Add("enc.blocks.0.conv.pointwise1.bias", GGML_TYPE_F16, 90);
  Add("dec.blocks.0.conv.pointwise1.weight", GGML_TYPE_F16, 80);
  const auto copies = Copies();
  ASSERT_TRUE(copies) << copies.error().what;
  EXPECT_EQ(*copies, Bytes(4 * 1'500));
}

TEST_F(CpuCopiesTest, AreNothingForOthers) {
  Add("encoder.conv1.weight", GGML_TYPE_F16, 1'000);
  EXPECT_EQ(Copies().value(), Bytes(0));
}

TEST_F(CpuCopiesTest, OfWhatIsNoModelIsAnError) {
  std::ofstream(path_) << "GGUF";
  const auto copies = CpuCopies(path_);
  ASSERT_FALSE(copies);
  EXPECT_EQ(copies.error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace headroom::worker
