// What little of Unicode the words need (Unicode 15, by block).
#pragma once

#include <string>
#include <string_view>

namespace headroom::speech {

enum class CharClass {
  kLetter,       // letters and digits of scripts that put spaces between words
  kIdeograph,    // letters of scripts that do not
  kMark,         // combines with the one before
  kOpening,      // punctuation that belongs to what follows
  kPunctuation,  // all other punctuation and symbols
  kSpace,
};

/// Takes the first code point off `text`, which is not empty. A byte that is not UTF-8 comes back
/// as 0xDC00 + byte.
char32_t TakeCodePoint(std::string_view& text);
void AppendCodePoint(char32_t c, std::string& to);

CharClass ClassOf(char32_t c);
/// Lower case for Latin, Greek, Cyrillic and Armenian; others as they are.
char32_t LowerCase(char32_t c);
/// The capital of which this is the lower case; others as they are.
char32_t UpperCase(char32_t c);
/// 0, 1 or 2.
int ColumnsOf(char32_t c);

}  // namespace headroom::speech
