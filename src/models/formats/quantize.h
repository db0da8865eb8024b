// Smaller copies of a GGUF model, made by the engine's own quantiser in a child process.
#pragma once

#include <filesystem>
#include <string_view>

#include "models/formats/import.h"

namespace headroom::models {

/// `preset`: Q8_0, Q6_K, Q5_K_M or Q4_K_M, case ignored. Writes `out` whole or not at all and
/// returns its header. kUnsupported for a model that is quantised already or that the quantiser
/// does not know. `cancel` (may be null) kills the child at once. Blocks; any thread.
Result<ModelHeader> Quantize(const std::filesystem::path& in, const std::filesystem::path& out,
                             std::string_view preset, const OnImportProgress& progress,
                             CancelToken* cancel);

}  // namespace headroom::models
