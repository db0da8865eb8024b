// The ways to compute of attention.cc, each compiled for its own instructions.
#pragma once

#include "asr/kernels/attention.h"

namespace headroom::kernels {

template <class Number>
void AttendAvx2(const Attention<Number>& attention, std::size_t part, std::size_t parts);
template <class Number>
void AttendAvx512(const Attention<Number>& attention, std::size_t part, std::size_t parts);
void AttendCachedAvx2(const Attention<std::uint16_t>& attention, std::size_t part,
                      std::size_t parts);

}  // namespace headroom::kernels
