// Stopping a computation of ggml's CPU backend from outside.
//
// The engine's own abort callback is looked at between its steps, not inside an encoder, which
// takes 0.2 to 2.7 s. ggml's CPU backend has a callback that is looked at before every operation of
// a graph, but the engine creates its backends itself and gives no access to them. So the CPU
// device's init_backend is replaced by one that sets the callback on every backend it makes.
#pragma once

#include <atomic>

namespace headroom::worker {

/// Every CPU backend made after this stops its graph when `flag` is true. Call once, before a model
/// is loaded; `flag` must live as long as the process.
void InstallCpuAbort(const std::atomic<bool>* flag);

}  // namespace headroom::worker
