#include "models/formats/gguf_types.h"

namespace headroom::models {
namespace {

// Indexed by the type's number; a block of 0 numbers marks a number that is no type (any more).
constexpr GgmlLayout kNone{"", 0, 0};
constexpr GgmlLayout kLayouts[] = {
    {"F32", 1, 4},
    {"F16", 1, 2},
    {"Q4_0", 32, 18},
    {"Q4_1", 32, 20},
    kNone,
    kNone,
    {"Q5_0", 32, 22},
    {"Q5_1", 32, 24},
    {"Q8_0", 32, 34},
    {"Q8_1", 32, 36},
    {"Q2_K", 256, 84},
    {"Q3_K", 256, 110},
    {"Q4_K", 256, 144},
    {"Q5_K", 256, 176},
    {"Q6_K", 256, 210},
    {"Q8_K", 256, 292},
    {"IQ2_XXS", 256, 66},
    {"IQ2_XS", 256, 74},
    {"IQ3_XXS", 256, 98},
    {"IQ1_S", 256, 50},
    {"IQ4_NL", 32, 18},
    {"IQ3_S", 256, 110},
    {"IQ2_S", 256, 82},
    {"IQ4_XS", 256, 136},
    {"I8", 1, 1},
    {"I16", 1, 2},
    {"I32", 1, 4},
    {"I64", 1, 8},
    {"F64", 1, 8},
    {"IQ1_M", 256, 56},
    {"BF16", 1, 2},
    kNone,
    kNone,
    kNone,
    {"TQ1_0", 256, 54},
    {"TQ2_0", 256, 66},
    kNone,
    kNone,
    kNone,
    {"MXFP4", 32, 17},
    {"NVFP4", 64, 36},
    {"Q1_0", 128, 18},
    {"Q2_0", 64, 18},
};

}  // namespace

std::optional<GgmlLayout> Layout(GgmlType type) {
  const auto number = static_cast<std::uint32_t>(type);
  if (number >= std::size(kLayouts) || kLayouts[number].numbers == 0) return std::nullopt;
  return kLayouts[number];
}

std::optional<std::int64_t> TensorBytes(GgmlType type, const std::array<std::int64_t, 4>& ne) {
  const auto layout = Layout(type);
  if (!layout || ne[0] < 1 || ne[0] % layout->numbers != 0) return std::nullopt;
  constexpr std::int64_t kMost = std::int64_t{1} << 62;
  std::int64_t bytes = ne[0] / layout->numbers;
  for (const std::int64_t factor : {layout->bytes, ne[1], ne[2], ne[3]}) {
    if (factor < 1 || bytes > kMost / factor) return std::nullopt;
    bytes *= factor;
  }
  // Elements may outnumber bytes, and are counted in 64 bits too.
  if (bytes > kMost / layout->numbers) return std::nullopt;
  return bytes;
}

std::optional<std::string_view> FileTypeName(std::uint64_t file_type) {
  switch (file_type) {
    case 0:
      return "F32";
    case 1:
      return "F16";
    case 2:
      return "Q4_0";
    case 3:
      return "Q4_1";
    case 7:
      return "Q8_0";
    case 8:
      return "Q5_0";
    case 9:
      return "Q5_1";
    case 10:
      return "Q2_K";
    case 11:
      return "Q3_K_S";
    case 12:
      return "Q3_K_M";
    case 13:
      return "Q3_K_L";
    case 14:
      return "Q4_K_S";
    case 15:
      return "Q4_K_M";
    case 16:
      return "Q5_K_S";
    case 17:
      return "Q5_K_M";
    case 18:
      return "Q6_K";
    case 32:
      return "BF16";
    default:
      return std::nullopt;
  }
}

}  // namespace headroom::models
