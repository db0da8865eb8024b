// The two ways to compute of attention.cc, each compiled for its own instructions.
#pragma once

#include "kernels/attention.h"

namespace headroom::kernels {

void AttendAvx2(const Attention& attention, std::size_t part, std::size_t parts);
void AttendAvx512(const Attention& attention, std::size_t part, std::size_t parts);
void AttendCachedAvx2(const CachedAttention& attention, std::size_t part, std::size_t parts);

}  // namespace headroom::kernels
