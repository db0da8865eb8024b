// Which vector registers the CPU has.
#pragma once

namespace headroom::kernels {

/// The instructions of a kernel over registers of floats, best last. What the CPU lacks must
/// not be used. AVX2 stands for all of x86-64-v3 (FMA and F16C too), AVX-512 for x86-64-v4.
enum class VectorKernel { kNone, kAvx2, kAvx512 };

/// The best one that this CPU has.
VectorKernel BestVectorKernel();

}  // namespace headroom::kernels
