// Compiled for AVX-512: nothing of it may run, or be inlined elsewhere, without it.
#include "kernels/attention_parts.h"
#include "kernels/attention_tiles.h"

namespace headroom::kernels {
namespace {
using Vector [[gnu::vector_size(64)]] = float;
}

void AttendAvx512(const Attention& attention, std::size_t part, std::size_t parts) {
  AttentionTiles<Vector, 8, 4>::Attend(attention, part, parts);
}

}  // namespace headroom::kernels
