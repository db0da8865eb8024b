// Which quantisations this machine's CPU computes fastest.
#pragma once

#include <span>
#include <string_view>

namespace headroom::planner {

/// The fastest first (bench/results/kernels.md), for models::Store::ForCpu.
std::span<const std::string_view> FastestOnCpu();

}  // namespace headroom::planner
