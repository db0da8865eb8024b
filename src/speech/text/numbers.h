// Numbers that were spoken as words, as digits: "one hundred and five" is 105, "einundzwanzig" 21,
// "three point five percent" 3.5%. Words come from a table (rewrite_table.h).
//
// What stays as words: numbers below ten on their own ("one of them"), scales on their own ("a
// hundred"), and what is followed by an ordinal ("twenty first"). Three or more single digits in a
// row become one ("five five five one"). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "speech/text/rewrite_table.h"

namespace headroom::speech {

struct SpokenNumber {
  std::size_t words = 0;  // that it takes
  std::string digits;
};

/// The number with which `words` (folded, with nothing but spaces between) begins; nullopt when
/// they do not, or when it is to stay as it is.
std::optional<SpokenNumber> ReadNumber(std::span<const std::string> words,
                                       const NumberWords& numbers);

}  // namespace headroom::speech
