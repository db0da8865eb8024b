#include "asr/overrides/cpu_copies.h"

#include <gguf.h>

#include <memory>
#include <string_view>

namespace headroom::worker {

Result<Bytes> CpuCopies(const std::filesystem::path& gguf) {
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> header(
      gguf_init_from_file(gguf.c_str(), {.no_alloc = true, .ctx = nullptr}), &gguf_free);
  if (!header) return Fail(Errc::kCorrupt, "{}: no GGUF header", gguf.string());
  Bytes copies;
  const std::int64_t tensors = gguf_get_n_tensors(header.get());
  for (std::int64_t i = 0; i < tensors; ++i) {
    const std::string_view name = gguf_get_tensor_name(header.get(), i);
    if (!name.starts_with("enc.blocks.") || gguf_get_tensor_type(header.get(), i) != GGML_TYPE_F16)
      continue;
    if (name.ends_with(".conv.pointwise1.weight") || name.ends_with(".conv.pointwise2.weight"))
      copies += Bytes(2 * static_cast<std::int64_t>(gguf_get_tensor_size(header.get(), i)));
  }
  return copies;
}

}  // namespace headroom::worker
