// The product of two matrices of Q8_0 blocks.
//
// Q8_0 is ggml's format of a factor and 32 signed codes; an element of the product is the sum, over
// the pairs of blocks, of both factors times the sum of the codes' products. Sixteen (eight) rows
// of weights are interleaved so that one instruction multiplies four codes (without VNNI, two) of
// each with the same ones of a column: no sum across a register remains, and the factors are
// applied to all at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace headroom::kernels {

/// ggml's block_q8_0.
struct Q8Block {
  std::uint16_t factor;  // IEEE half precision
  std::int8_t codes[32];
};
static_assert(sizeof(Q8Block) == 34);

struct Q8Product {
  std::size_t rows = 0, columns = 0;
  std::size_t blocks = 0;  // of each row of the weights and of each column
  const Q8Block* weights = nullptr;
  std::size_t weights_stride = 0;  // blocks from one row to the next
  const Q8Block* input = nullptr;
  std::size_t input_stride = 0;  // blocks from one column to the next
  float* output = nullptr;       // row r of column c: output[c * output_stride + r]
  std::size_t output_stride = 0;
};

/// The instructions for it, best last. What the CPU lacks must not be used.
enum class Q8Kernel { kNone, kAvx2, kAvxVnni, kAvx512Vnni };

/// The best one that this CPU has.
Q8Kernel BestQ8Kernel();

/// Whether a product is worth it: enough columns to pay for the interleaving, not too long a row.
bool IsForQ8Kernel(const Q8Product& product);

/// Part `part` of `parts` of the rows, which threads may compute side by side. `kernel` is not
/// kNone, and IsForQ8Kernel(product). Takes 350 KB of stack.
void MultiplyQ8(Q8Kernel kernel, const Q8Product& product, std::size_t part, std::size_t parts);

}  // namespace headroom::kernels
