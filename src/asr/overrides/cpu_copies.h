// What the engine holds besides a model's weights when it computes on the CPU.
#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom::worker {

/// Conformers (Canary, Parakeet) keep F32 copies of their F16 pointwise convolutions there, beside
/// the originals, unless we multiply those (matmul_override.h): four bytes for each weight of
/// enc.blocks.*.conv.pointwise[12] in the GGUF file.
Result<Bytes> CpuCopies(const std::filesystem::path& gguf);

}  // namespace headroom::worker
