#include "models/formats/skeleton_types.h"

#include <array>

namespace headroom::models {
namespace {

constexpr GgmlType kQ4K{12};
constexpr GgmlType kQ5K{13};
constexpr GgmlType kQ6K{14};

struct Preset {
  std::string_view name;
  std::uint32_t file_type;
  GgmlType linear, fallback, attention_out, embedding, pointwise;
};

constexpr auto kF32 = GgmlType::kF32;
constexpr auto kF16 = GgmlType::kF16;
constexpr auto kQ8 = GgmlType::kQ8_0;
constexpr Preset kPresets[] = {
    {"F32", 0, kF32, kF32, kF32, kF32, kF32},   {"F16", 1, kF16, kF16, kF16, kF16, kF16},
    {"Q8_0", 7, kQ8, kF16, kQ8, kQ8, kF16},     {"Q6_K", 18, kQ6K, kQ8, kQ6K, kQ6K, kF16},
    {"Q5_K_M", 17, kQ5K, kQ8, kQ8, kQ6K, kF16}, {"Q4_K_M", 15, kQ4K, kQ8, kQ8, kQ6K, kF16},
};

const Preset* Find(std::string_view quantisation) {
  for (const Preset& preset : kPresets)
    if (preset.name == quantisation) return &preset;
  return nullptr;
}

bool Has(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

// Small and sensitive: F32 in every quantisation, like the convolutions that have a kernel.
bool StaysF32(std::string_view name) {
  if (name.starts_with("frontend.") || Has(name, ".pos_emb.") || Has(name, ".bn.")) return true;
  for (const char* end : {".bias", ".pos_bias_u", ".pos_bias_v", ".pos_enc"})
    if (name.ends_with(end)) return true;
  const std::string_view layer = name.substr(0, name.rfind('.'));
  const std::string_view last = layer.substr(layer.rfind('.') + 1);
  if (last.starts_with("norm") || last.ends_with("_norm")) return true;
  return Has(name, ".conv.") && !Has(name, ".conv.pointwise");
}

bool FitsRow(GgmlType type, std::int64_t row) {
  return row % Layout(type)->numbers == 0;
}

}  // namespace

std::optional<GgmlType> TypeIn(std::string_view quantisation, std::string_view tensor,
                               std::int64_t row) {
  const Preset* preset = Find(quantisation);
  if (preset == nullptr) return std::nullopt;
  if (StaysF32(tensor)) return GgmlType::kF32;
  // Stored as [1, in, out]: rows of one number, which no block format can hold.
  if (Has(tensor, ".conv.pointwise") && row == 1) return preset->pointwise;
  GgmlType type = preset->linear;
  if (tensor == "dec.token_embd.weight" || tensor == "dec.embed.token.weight")
    type = preset->embedding;
  for (const char* end : {"attn.linear_out.weight", "attn.out.weight", "attn.o.weight"})
    if (tensor.ends_with(end)) type = preset->attention_out;
  if (!FitsRow(type, row)) type = preset->fallback;
  return FitsRow(type, row) ? type : GgmlType::kF16;
}

std::optional<std::uint32_t> FileTypeOf(std::string_view quantisation) {
  const Preset* preset = Find(quantisation);
  if (preset == nullptr) return std::nullopt;
  return preset->file_type;
}

}  // namespace headroom::models
