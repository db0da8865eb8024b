// A model file without its weights: every key and tensor in the true shapes and types, then a hole.
// The engine plans from it exactly as it plans from the whole file, so that what a model will take
// is known before it is downloaded. Shapes come from the engine's loaders and documentation; the
// tests compare them with imported models and with the published sizes. docs/memory.md says which
// models have one. Pure but for WriteSkeleton; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "models/formats/gguf.h"

namespace headroom::models {

struct Skeleton {
  std::string header;               // to the last byte before the data
  std::vector<GgufTensor> tensors;  // in file order; offsets from the start of the file
  Bytes size;                       // of the file with its weights, the last one padded
};

/// Whether this model's shapes are known for certain.
bool HasSkeleton(std::string_view model);

/// kNotFound for a model whose shapes are not known; kInvalid for another quantisation than F32,
/// F16, Q8_0, Q6_K, Q5_K_M and Q4_K_M. The vocabulary has the right size and no meaning.
Result<Skeleton> MakeSkeleton(std::string_view model, std::string_view quantisation);

/// Takes no more disk than its header where the file system knows holes. Replaces what is there.
Result<> WriteSkeleton(const Skeleton& skeleton, const std::filesystem::path& path);

}  // namespace headroom::models
