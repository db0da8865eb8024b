// Products of matrices on the processor that src/kernels has quicker, in the engine's place at link
// time (--wrap).
#pragma once

namespace headroom::worker {

/// Whether weights in half precision are multiplied as they are. Where they are not, the engine
/// copies those of conformers' convolutions to single precision, see cpu_copies.h.
bool MultipliesHalves();

}  // namespace headroom::worker
