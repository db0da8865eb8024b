// A model's header without its weights, for counting what they take.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"

namespace headroom::worker {

struct HeaderCopy {
  Fd file;
  std::int64_t vocabulary = 0;  // tokens; 0: the header does not say
  std::int64_t end_token = -1;  // by which a decoder stops; -1: the header does not say
};

/// A memory file that begins with the header of the GGUF file at `path` (everything before its
/// tensor data) and goes on as a hole to the same length. Reading the hole costs neither disk nor
/// memory. kCorrupt when it is not GGUF.
Result<HeaderCopy> CopyHeader(const std::string& path);

/// While one exists, reading tensor data through a std::istream passes over it without copying a
/// hole's zeros: at link time (--wrap) reads of a mebibyte and more become a seek. For the one
/// thread that loads a HeaderCopy; what is "read" is left as it was.
class HoleIsSkipped {
 public:
  HoleIsSkipped();
  ~HoleIsSkipped();
  HoleIsSkipped(const HoleIsSkipped&) = delete;
  HoleIsSkipped& operator=(const HoleIsSkipped&) = delete;
};

}  // namespace headroom::worker
