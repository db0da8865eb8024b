// One number combined with all numbers of a row, which the engine does one by one.
#pragma once

#include <span>

namespace headroom::kernels {

/// output[i] = input[i] + number; both are as long, and may be the same.
void AddToAll(std::span<const float> input, float number, std::span<float> output);
/// output[i] = input[i] * number.
void MultiplyAll(std::span<const float> input, float number, std::span<float> output);

}  // namespace headroom::kernels
