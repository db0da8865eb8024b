// What headroom-decode gives up before it looks at the first byte of its input: see docs/audio.md.
#pragma once

#include "base/error.h"

namespace headroom::audio {

/// Limits, no new privileges, no dumps, and the system call filter. Cannot be undone.
/// Afterwards only descriptors 0 (read), 1 and 3 (write) and 2 (last words) can be used.
Result<> EnterSandbox();

/// Tries what must be refused, inside the sandbox, and prints one line each on standard output:
/// "refused NAME" or "ALLOWED NAME". Returns the number that was allowed.
int TestSandbox();

}  // namespace headroom::audio
