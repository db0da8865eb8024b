// The number formats of ggml tensors: blocks of numbers in blocks of bytes (ggml.h, ggml 0.26).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headroom::models {

/// The ones that this code names; a file may use every value that Layout() knows.
enum class GgmlType : std::uint32_t { kF32 = 0, kF16 = 1, kQ8_0 = 8, kBF16 = 30 };

struct GgmlLayout {
  std::string_view name;
  std::int64_t numbers = 1;  // in a block; a row is a whole number of blocks
  std::int64_t bytes = 4;    // of a block
};

/// nullopt for a number that is no type.
std::optional<GgmlLayout> Layout(GgmlType type);

/// Bytes of a tensor; nullopt for an unknown type, a dimension below 1 (or 0), rows that are not
/// whole blocks, or a size beyond 2^62.
std::optional<std::int64_t> TensorBytes(GgmlType type, const std::array<std::int64_t, 4>& ne);

/// The name of a general.file_type number, e.g. 15 is "Q4_K_M".
std::optional<std::string_view> FileTypeName(std::uint64_t file_type);

}  // namespace headroom::models
