// When each word of a segment's text was spoken.
#pragma once

#include <vector>

#include "speech/text/transcript.h"
#include "speech/text/words.h"

namespace headroom::speech {

struct TokenTime {
  Milliseconds start{0};
  Milliseconds end{0};
};

/// For each of `tokens`, which are Tokenise(segment.text): from the segment's words where it has
/// them, else in proportion to the letters. In order, within the segment or its words.
std::vector<TokenTime> TimesOf(const std::vector<Token>& tokens, const Segment& segment);

}  // namespace headroom::speech
