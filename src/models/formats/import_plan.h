// A GGUF file that is still to be written: keys, and for each tensor where its numbers come from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/formats/gguf_writer.h"
#include "models/formats/import.h"
#include "models/formats/import_numbers.h"

namespace headroom::models {

struct PlannedTensor {
  GgufTensor tensor;          // offset and bytes not set yet
  std::vector<float> values;  // its numbers; when empty they are in the source, at:
  std::int64_t offset = 0;
  NumberType type = NumberType::kF32;
  /// Quantised sources: number i is divided by divisors[i / per_divisor]; empty: by nothing.
  std::vector<float> divisors;
  std::int64_t per_divisor = 1;
};

struct ImportPlan {
  GgufKeys keys;
  std::vector<PlannedTensor> tensors;
};

/// Shapes are given slowest dimension first, as everybody but ggml writes them.
PlannedTensor Plan(std::string name, GgmlType type, const std::vector<std::int64_t>& shape);

/// Streams the plan into `destination`, a few megabytes at a time.
Result<> WritePlan(ImportPlan plan, const ByteSource& source,
                   const std::filesystem::path& destination, const OnImportProgress& progress,
                   CancelToken* cancel);

}  // namespace headroom::models
