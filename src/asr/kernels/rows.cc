#include "asr/kernels/rows.h"

#include <cstddef>

#include "asr/kernels/clones.h"

namespace headroom::kernels {
namespace {

HEADROOM_CLONES void Add(const float* input, float number, float* output, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) output[i] = input[i] + number;
}

HEADROOM_CLONES void Multiply(const float* input, float number, float* output, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) output[i] = input[i] * number;
}

}  // namespace

void AddToAll(std::span<const float> input, float number, std::span<float> output) {
  Add(input.data(), number, output.data(), input.size());
}

void MultiplyAll(std::span<const float> input, float number, std::span<float> output) {
  Multiply(input.data(), number, output.data(), input.size());
}

}  // namespace headroom::kernels
