// Text with times: what recognition gives and every output format is made from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace headroom::speech {

/// Times count from the start of the recording, in milliseconds of audio.
struct Word {
  Milliseconds start{0};
  Milliseconds end{0};
  std::string text;  // UTF-8, no surrounding space
};

struct Segment {
  Milliseconds start{0};
  Milliseconds end{0};
  std::string text;         // UTF-8, no surrounding space, never empty
  std::vector<Word> words;  // empty unless word times were asked for and the model has them
};

struct Transcript {
  std::vector<Segment> segments;  // in order of time
  std::string language;           // ISO 639-1; "" when the model does not say
};

}  // namespace headroom::speech
