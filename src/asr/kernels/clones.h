// HEADROOM_CLONES before a function: it is compiled for several generations of CPUs, and the
// loader picks the one for this CPU. For plain loops over rows, which the compiler
// vectorises.
#pragma once

#include <cstddef>

// The loader picks before ThreadSanitizer is ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && \
    !defined(__SANITIZE_THREAD__)
#define HEADROOM_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HEADROOM_CLONES
#endif
