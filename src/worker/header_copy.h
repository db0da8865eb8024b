// A model's header without its weights, for counting what they take.
#pragma once

#include <string>

#include "base/fd.h"

namespace headroom::worker {

/// A memory file that begins with the header of the GGUF file at `path` (everything before its
/// tensor data) and goes on as a hole to the same length. Reading the hole costs neither disk nor
/// memory. kCorrupt when it is not GGUF.
Result<Fd> CopyHeader(const std::string& path);

}  // namespace headroom::worker
