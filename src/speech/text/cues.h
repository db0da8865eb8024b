// A segment as caption cues: at most two lines of at most 42 columns, what broadcasters use.
#pragma once

#include <string>
#include <vector>

#include "speech/text/transcript.h"

namespace headroom::speech {

inline constexpr std::size_t kCaptionColumns = 42;

struct Cue {
  Milliseconds start{0};
  Milliseconds end{0};             // after start
  std::vector<std::string> lines;  // one or two, none empty
};

/// Cut between words, by preference after a sentence or a clause. Times are those of the words
/// where the segment has them, else in proportion to the length of the text. Ordered, not
/// overlapping, none begins before `not_before`.
std::vector<Cue> CuesOf(const Segment& segment, Milliseconds not_before = Milliseconds(0));

}  // namespace headroom::speech
