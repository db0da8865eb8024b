// The columns of a product in groups that fit the registers.
#pragma once

#include <cstddef>
#include <utility>

namespace headroom::kernels {
namespace {  // compiled separately for each file's instructions

/// Calls compute.operator()<kCount>(first) for groups of at most kMost columns, of which `first` is
/// the first. They are as even as can be: a last group of one column would take half as long as one
/// of many.
template <std::size_t kMost, class Compute>
void ForColumnGroups(std::size_t columns, const Compute& compute) {
  using Group = void (*)(const Compute&, std::size_t first);
  static constexpr auto kOfCount = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
    struct Table {
      Group at[kMost];
    };
    return Table{{[](const Compute& how, std::size_t first) {
      how.template operator()<kIndex + 1>(first);
    }...}};
  }(std::make_index_sequence<kMost>());
  const std::size_t groups = (columns + kMost - 1) / kMost;
  for (std::size_t group = 0; group < groups; ++group) {
    const std::size_t first = columns * group / groups;
    const std::size_t count = columns * (group + 1) / groups - first;
    kOfCount.at[count - 1](compute, first);
  }
}

}  // namespace
}  // namespace headroom::kernels
