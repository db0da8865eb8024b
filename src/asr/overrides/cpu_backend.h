// What the engine's CPU backends lack. The engine makes them itself and gives no access to them, so
// the CPU device's init_backend is replaced by one that looks after every backend it makes:
//
// - Stopping a computation from outside. The engine's own abort callback is looked at between its
//   steps, not inside an encoder, which takes 0.2 to 2.7 s; ggml's is looked at before every
//   operation of a graph.
// - Threads that stay. Without them ggml starts and ends its threads with every graph, of which a
//   decoder computes one for each token.
// - Counting without computing (count_only.h).
#pragma once

#include <atomic>

namespace headroom::worker {

/// Every CPU backend made after this stops its graph when `flag` is true. Call once, before a model
/// is loaded; `flag` must live as long as the process.
void InstallCpuBackend(const std::atomic<bool>* flag);

/// Graphs are computed by `count` threads, the calling one included, that stay until the process
/// ends. They are started here, so they run on the cores that the caller may use; between graphs
/// they spin for some milliseconds, then they sleep.
void KeepCpuThreads(int count);

}  // namespace headroom::worker
