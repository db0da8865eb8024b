// Replaces the engine's matrix products on the CPU with the faster ones of asr/kernels, at link
// time
// (--wrap, see overrides.tsv).
#pragma once

namespace headroom::worker {

/// Whether the kernels multiply weights in half precision as they are. Where they do not, the
/// engine copies the weights of conformers' convolutions to single precision, see cpu_copies.h.
bool MultipliesHalves();

}  // namespace headroom::worker
