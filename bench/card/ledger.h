// What the library driver_ledger.so, preloaded into a worker, counts of the driver's allocations,
// and how a fault is asked of it: one file that both sides map. Any thread, any process.
#pragma once

#include <atomic>
#include <cstdint>

namespace headroom {

/// Names the file; at least sizeof(DriverLedger) of zeros.
inline constexpr const char* kLedgerVariable = "HEADROOM_DRIVER_LEDGER";

struct DriverLedger {
  std::atomic<std::int64_t> hooked;   // functions of drivers that were found, so can be counted
  std::atomic<std::int64_t> runtime;  // cudaMalloc and its like
  std::atomic<std::int64_t> driver;   // cuMemAlloc, cuMemCreate, vkAllocateMemory and their like
  std::atomic<std::int64_t> host;     // pinned host memory: cuMemHostAlloc, cuMemAllocHost
  std::atomic<std::int64_t> bytes;    // that the driver was asked for
  std::atomic<std::int64_t> refuse;   // so many of the next allocations fail: out of memory
  std::atomic<std::int64_t> fault;    // CUDA's or Vulkan's code that the next wait for the card has
};

}  // namespace headroom
