// Compiled for AVX2 with FMA: nothing of it may run, or be inlined elsewhere, without them.
#include "kernels/attention_parts.h"
#include "kernels/attention_tiles.h"

namespace headroom::kernels {
namespace {
using Vector [[gnu::vector_size(32)]] = float;
}

void AttendAvx2(const Attention& attention, std::size_t part, std::size_t parts) {
  AttentionTiles<Vector, 6, 3>::Attend(attention, part, parts);
}

}  // namespace headroom::kernels
