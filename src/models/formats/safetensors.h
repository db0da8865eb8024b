// The header of a .safetensors file (https://github.com/huggingface/safetensors, "Format").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "models/formats/import_source.h"

namespace headroom::models {

struct SafeTensor {
  std::string dtype;                // "F32", "F16", "BF16", "I64", …
  std::vector<std::int64_t> shape;  // slowest dimension first; empty for a single number
  std::int64_t offset = 0;          // from the start of the file
  std::int64_t bytes = 0;
};

/// True when the bytes begin as a .safetensors does; `head` is the first 16 bytes or more.
bool LooksLikeSafetensors(std::string_view head, std::int64_t file_size);

/// Checks that the tensors cover the file's data exactly, without gaps or overlaps.
Result<std::map<std::string, SafeTensor>> ReadSafetensorsHeader(const ByteSource& source);

}  // namespace headroom::models
