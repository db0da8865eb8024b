// The engine's work on the host, left out while a simulated card only counts.
//
// What a model takes does not depend on what it computes, so a plan needs neither spectrograms nor
// the results of operations that fall to the CPU, and large tensors that are copied to and fro need
// no memory behind them. The engine has no such mode: its functions are replaced at link time
// (--wrap), and where it makes a CPU backend (cpu_backend.h).
#pragma once

#include <cstddef>
#include <span>

namespace headroom::worker {

/// While one exists: spectrograms have their true shape and are silence; large tensors on the host
/// keep what they had instead of what they are set to, and reading them gives zeros; dequantising
/// gives zeros. At most one at a time; the whole process is concerned.
class CountOnly {
 public:
  CountOnly();
  ~CountOnly();
  CountOnly(const CountOnly&) = delete;
  CountOnly& operator=(const CountOnly&) = delete;

  /// Whether there is one.
  static bool Now();
};

/// Zeros, and of whole pages the memory is given back until the next write. `into` is
/// private anonymous memory.
void FillWithNothing(std::span<std::byte> into);

}  // namespace headroom::worker
