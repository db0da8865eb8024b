#include "asr/worker/record_profile.h"

#include <ggml.h>

#include <array>
#include <memory>

namespace headroom::worker {
namespace {

constexpr std::size_t kContextBytes = 4u << 20;
constexpr int kRow = 256;      // a multiple of every quantised block
constexpr int kUnpadded = 32;  // a row that CUDA pads
constexpr std::array kWeightTypes = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q4_0,
                                     GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0,
                                     GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K,
                                     GGML_TYPE_Q6_K};
constexpr std::array kFloatTypes = {GGML_TYPE_F32, GGML_TYPE_F16};

class Asker {
 public:
  Asker(ggml_backend_dev_t device, DeviceProfile& profile)
      : device_(device),
        profile_(profile),
        context_(ggml_init({kContextBytes, nullptr, /*no_alloc=*/true}), ggml_free) {}

  ggml_context* context() const { return context_.get(); }
  ggml_tensor* Make(ggml_type type, std::int64_t a, std::int64_t b = 1, std::int64_t c = 1,
                    std::int64_t d = 1) const {
    return ggml_new_tensor_4d(context(), type, a, b, c, d);
  }
  /// Notes an operation that the device refuses, for all types or for that of its first operand.
  void Ask(const ggml_tensor* op, bool by_type = false) {
    if (ggml_backend_dev_supports_op(device_, op)) return;
    std::string key = ggml_op_desc(op);
    if (by_type) key += std::string(":") + ggml_type_name(op->src[0]->type);
    profile_.unsupported.insert(std::move(key));
  }

 private:
  ggml_backend_dev_t device_;
  DeviceProfile& profile_;
  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
};

void AskAboutWeights(Asker& asker) {
  ggml_context* c = asker.context();
  for (const ggml_type type : kWeightTypes) {
    asker.Ask(ggml_mul_mat(c, asker.Make(type, kRow, 8), asker.Make(GGML_TYPE_F32, kRow, 4)), true);
    asker.Ask(ggml_get_rows(c, asker.Make(type, kRow, 8), asker.Make(GGML_TYPE_I32, 4)), true);
  }
}

void AskAboutFloats(Asker& asker) {
  ggml_context* c = asker.context();
  for (const ggml_type type : kFloatTypes) {
    const auto kernel = [&] { return asker.Make(type, 3, 3, 4, 8); };
    const auto image = [&] { return asker.Make(GGML_TYPE_F32, 16, 16, 4); };
    const auto wide = [&] { return asker.Make(type, kRow, 8); };
    asker.Ask(ggml_cpy(c, asker.Make(GGML_TYPE_F32, kRow, 8), wide()), false);
    asker.Ask(ggml_cont(c, ggml_transpose(c, wide())), true);
    asker.Ask(ggml_concat(c, wide(), wide(), 1), true);
    asker.Ask(ggml_im2col(c, kernel(), image(), 1, 1, 1, 1, 1, 1, true, type), true);
    asker.Ask(ggml_conv_2d_direct(c, kernel(), image(), 1, 1, 1, 1, 1, 1), true);
    asker.Ask(ggml_conv_2d_dw_direct(c, asker.Make(type, 3, 3, 1, 4), image(), 1, 1, 1, 1, 1, 1),
              true);
    asker.Ask(
        ggml_set_rows(c, wide(), asker.Make(GGML_TYPE_F32, kRow, 2), asker.Make(GGML_TYPE_I64, 2)),
        false);
    // Named by its query, which is always F32, so the type of the cache is not distinguished.
    asker.Ask(ggml_flash_attn_ext(c, asker.Make(GGML_TYPE_F32, 64, 8, 4),
                                  asker.Make(type, 64, 32, 4), asker.Make(type, 64, 32, 4), nullptr,
                                  0.125F, 0, 0));
  }
}

void AskAboutElements(Asker& asker) {
  ggml_context* c = asker.context();
  const auto x = [&] { return asker.Make(GGML_TYPE_F32, 64, 8, 4); };
  asker.Ask(ggml_add(c, x(), x()));
  asker.Ask(ggml_mul(c, x(), x()));
  asker.Ask(ggml_scale(c, x(), 0.5F));
  asker.Ask(ggml_norm(c, x(), 1e-5F));
  asker.Ask(ggml_group_norm(c, x(), 4, 1e-5F));
  asker.Ask(ggml_soft_max_ext(c, x(), nullptr, 1, 0));
  asker.Ask(ggml_argmax(c, asker.Make(GGML_TYPE_F32, kRow, 8)));
  asker.Ask(ggml_fill(c, x(), 0));
  asker.Ask(ggml_log(c, x()));
  asker.Ask(ggml_pad(c, x(), 1, 0, 0, 0));
  asker.Ask(ggml_rope_ext(c, x(), asker.Make(GGML_TYPE_I32, 4), nullptr, 32, 0, 0, 10000, 1, 0, 1,
                          32, 1));
  asker.Ask(ggml_relu(c, x()));
  asker.Ask(ggml_silu(c, x()));
  asker.Ask(ggml_sigmoid(c, x()));
  asker.Ask(ggml_tanh(c, x()));
  asker.Ask(ggml_gelu(c, x()));
  asker.Ask(ggml_gelu_erf(c, x()));
}

}  // namespace

DeviceProfile RecordProfile(ggml_backend_dev_t device) {
  ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device);
  DeviceProfile profile;
  profile.registry = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
  profile.name = ggml_backend_dev_name(device);
  profile.description = ggml_backend_dev_description(device);
  profile.alignment = Bytes(static_cast<std::int64_t>(ggml_backend_buft_get_alignment(type)));
  const std::size_t largest = ggml_backend_buft_get_max_size(type);
  if (largest < INT64_MAX / 2) profile.largest_buffer = Bytes(static_cast<std::int64_t>(largest));

  Asker asker(device, profile);
  const ggml_tensor* row = asker.Make(GGML_TYPE_Q8_0, kUnpadded, 2);
  if (ggml_backend_buft_get_alloc_size(type, row) > ggml_nbytes(row))
    profile.size_rule = SizeRule::kCudaRows;
  AskAboutWeights(asker);
  AskAboutFloats(asker);
  AskAboutElements(asker);
  return profile;
}

}  // namespace headroom::worker
