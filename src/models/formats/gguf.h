// GGUF, the model format of ggml, version 2 and 3: header reader. Nothing is allocated because a
// file says so: every count and length is checked against the file's size first, and values that
// Headroom does not need are skipped. Format: docs/models.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "models/formats/gguf_types.h"
#include "models/formats/import_source.h"

namespace headroom::models {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::uint32_t kGgufAlignment = 32;

struct GgufTensor {
  std::string name;
  int rank = 0;
  std::array<std::int64_t, 4> ne{1, 1, 1, 1};  // fastest dimension first
  GgmlType type = GgmlType::kF32;
  std::int64_t offset = 0;  // from the start of the file
  std::int64_t bytes = 0;

  std::int64_t elements() const { return ne[0] * ne[1] * ne[2] * ne[3]; }
};

/// Integers are widened. Long text and long arrays are not kept.
using GgufValue =
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string, std::vector<std::string>>;

struct GgufHeader {
  std::uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> values;
  std::vector<GgufTensor> tensors;  // in file order
  std::int64_t data_offset = 0;
  std::int64_t end = 0;  // where the last tensor ends

  /// nullopt when the key is absent or of another type.
  std::optional<std::string> Text(std::string_view key) const;
  std::optional<std::uint64_t> Unsigned(std::string_view key) const;
  std::vector<std::string> Texts(std::string_view key) const;
};

/// Checks everything the engine's own loader checks, and that all tensors lie in the file in order
/// and without gaps or overlaps. kCorrupt, or kUnsupported for other versions.
Result<GgufHeader> ReadGgufHeader(const ByteSource& source);

}  // namespace headroom::models
