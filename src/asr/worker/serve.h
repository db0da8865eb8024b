// The worker's main loop: speaks the protocol on a socket and drives one Engine.
#pragma once

#include "asr/worker/engine.h"
#include "base/fd.h"

namespace headroom::worker {

/// Where a supervisor puts the worker's end of the socket.
inline constexpr int kChannelFd = 3;

/// Serves until the supervisor says exit (returns 0), closes its end (the process ends immediately,
/// even inside a computation, so that its memory is free), or speaks nonsense (returns 1). The
/// calling thread receives; a second thread computes.
int Serve(Engine& engine, Fd socket);

}  // namespace headroom::worker
