// The product of two matrices of numbers in single or half precision, summed in single precision.
//
// Rows of weights are interleaved in panels that stay in the L2 cache, so that one instruction
// multiplies as many rows as a register holds with one number of a column; numbers in half
// precision are widened on the way there.
#pragma once

#include <cstddef>

#include "asr/kernels/vector_kernel.h"

namespace headroom::kernels {

/// Row r begins at data + r * stride numbers.
struct FloatMatrix {
  const void* data = nullptr;  // float, or IEEE half precision
  bool halves = false;
  std::size_t stride = 0;
};

struct FloatProduct {
  std::size_t rows = 0, columns = 0;
  std::size_t inner = 0;    // numbers of each row of the weights and of each column
  FloatMatrix weights{};    // rows
  FloatMatrix input{};      // columns
  float* output = nullptr;  // row r of column c: output[c * output_stride + r]
  std::size_t output_stride = 0;
};

/// Whether a product is worth it: enough columns to pay for the interleaving.
bool IsForFloatKernel(const FloatProduct& product);

/// Part `part` of `parts` of the rows, which threads may compute side by side. `kernel` is not
/// kNone, and IsForFloatKernel(product). Takes 300 KB of stack.
void MultiplyFloats(VectorKernel kernel, const FloatProduct& product, std::size_t part,
                    std::size_t parts);

}  // namespace headroom::kernels
