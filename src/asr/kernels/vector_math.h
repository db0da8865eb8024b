// The C library's functions over whole registers (glibc's libmvec): declared so that the compiler
// may call them in loops, which glibc's own header allows under -ffast-math only.
#pragma once

#include <cmath>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && \
    (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
#define HEADROOM_VECTOR_MATH 1
extern "C" __attribute__((simd("notinbranch"))) float erff(float) noexcept;
extern "C" __attribute__((simd("notinbranch"))) float expf(float) noexcept;
#endif

namespace headroom::kernels {

#ifdef HEADROOM_VECTOR_MATH
constexpr bool kHasVectorMath = true;
#else
constexpr bool kHasVectorMath = false;
#endif

inline float VectorErf(float x) {
  return erff(x);
}
inline float VectorExp(float x) {
  return expf(x);
}

}  // namespace headroom::kernels
