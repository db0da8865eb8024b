// Replaces the convolutions with which conformers (Canary, Parakeet) begin, at link time (--wrap,
// see overrides.tsv), where the CPU computes them.
//
// The engine unrolls convolutions into products of matrices, the first one in one thread, and keeps
// all that lies between them, which took half of an encoder's time and most of its memory. Ours are
// asr/kernels/subsampling.h, and products where all channels are mixed; the results differ from the
// engine's only by rounding.
#pragma once

namespace headroom::worker {

/// Whether graphs that this thread builds from now on use the override: only the CPU can compute
/// it. Initially they do not.
void UseStemOverride(bool use);

}  // namespace headroom::worker
