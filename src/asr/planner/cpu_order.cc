#include "asr/planner/cpu_order.h"

#include <array>

#include "asr/kernels/matmul_q8.h"

namespace headroom::planner {

std::span<const std::string_view> FastestOnCpu() {
  static constexpr std::array<std::string_view, 3> kWithQ8Kernel{"Q8_0", "Q5_K_M", "F16"};
  static constexpr std::array<std::string_view, 3> kWithout{"Q5_K_M", "Q8_0", "F16"};
  return kernels::BestQ8Kernel() != kernels::Q8Kernel::kNone ? kWithQ8Kernel : kWithout;
}

}  // namespace headroom::planner
