// Small functions on text for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headroom {

/// Damerau-Levenshtein distance (optimal string alignment) in bytes, case ignored for ASCII.
std::size_t EditDistance(std::string_view a, std::string_view b);

/// The candidates nearest to a mistyped word, best first, at most `most`; empty when none is near.
/// A candidate that contains the word, or begins with it, counts as near.
std::vector<std::string> NearestNames(std::string_view word,
                                      const std::vector<std::string>& candidates,
                                      std::size_t most = 3);

/// Replaces every invalid UTF-8 sequence by U+FFFD and every control character but \n and \t by a
/// space, so that untrusted text can be shown on a terminal and put into JSON.
std::string Printable(std::string_view bytes);

std::vector<std::string> Split(std::string_view text, char at);
std::string_view Trim(std::string_view text);

}  // namespace headroom
