// Streams of numbers from one format to another, refusing what is not finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "models/formats/gguf_types.h"

namespace headroom::models {

enum class NumberType { kF32, kF16, kBF16, kI8, kI16 };

std::size_t BytesOf(NumberType type);
/// The same format on the GGUF side; integers become F16.
GgmlType NearestGgmlType(NumberType type);

float HalfToFloat(std::uint16_t half);
/// Nearest, ties to even; infinite above 65504.
std::uint16_t FloatToHalf(float value);

/// Appends the numbers in `raw` to `into`. Integers as they are.
void Decode(NumberType type, std::span<const std::byte> raw, std::vector<float>& into);
/// kUnsupported when a number does not fit; `type` is F32, F16 or BF16.
Result<> Encode(GgmlType type, std::span<const float> numbers, std::vector<std::byte>& into);

/// The numbers in `raw` (F32, F16 or BF16) without an infinity or a NaN among them.
bool AllFinite(GgmlType type, std::span<const std::byte> raw);

}  // namespace headroom::models
