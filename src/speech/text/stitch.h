// Joins the texts of two chunks whose audio overlaps (a forced cut, see chunker.h), so that no word
// is lost and none is there twice.
//
// The end of the first text and the beginning of the second say the same seconds, but each may have
// its outermost word cut in half and may have heard a word differently. The two are aligned by
// words (an overlap alignment: what is left over at the seam costs as much as a gap), and joined at
// a word both have, near the middle of what they share: before it the first text counts, after it
// the second. Case and punctuation do not matter, small differences of spelling little, numbers
// must be the same. Where nothing matches, nothing is dropped. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "speech/text/transcript.h"

namespace headroom::speech {

/// A word as the alignment sees it.
struct SeamWord {
  std::string_view folded;             // see Token; "" matches nothing
  std::optional<Milliseconds> middle;  // when it was spoken, where that is known
};

/// previous[0, keep) and then next[skip, …).
struct Seam {
  std::size_t keep = 0;
  std::size_t skip = 0;
  bool shared = false;  // previous[keep - 1] and next[skip - 1] are the same word
};
Seam FindSeam(std::span<const SeamWord> previous, std::span<const SeamWord> next);

/// As many words at the seam are compared; enough for the default overlap in any language.
inline constexpr std::size_t kSeamWords = 32;

/// Takes off either side what the other says: of two chunks, the second beginning inside the first.
void Stitch(std::vector<Segment>& previous, std::vector<Segment>& next);

std::string StitchText(std::string_view previous, std::string_view next);

/// The segments of one chunk after the other in, segments without repetition out. Those of a chunk
/// that was cut by force are kept until the next chunk is there; at most that much is held.
class Stitcher {
 public:
  /// `segments`: of one chunk, timed in the recording. `overlaps`: it begins inside the chunk
  /// before. `forced`: the next one will. To be called for each chunk, without segments for one
  /// that gave none. Returns what is final now, in order.
  std::vector<Segment> Add(std::vector<Segment> segments, bool overlaps, bool forced);
  /// What is left.
  std::vector<Segment> Finish();

 private:
  std::vector<Segment> pending_;
};

}  // namespace headroom::speech
