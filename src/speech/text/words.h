// Text as words, in any script, for comparing and for breaking lines. UTF-8 throughout; what is not
// UTF-8 counts as letters of its own.
//
// A word is what stands between spaces; in scripts written without spaces (Han, kana, Thai, Lao,
// Khmer, Burmese) it is one code point with its marks. Punctuation belongs to the word it touches.
// The tables are coarse, by Unicode block: enough to align and to wrap, not to edit text by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headroom::speech {

struct Token {
  std::string_view text;      // in the source, with its punctuation, without spaces around
  std::size_t core_end = 0;   // of `text`: where its closing punctuation begins
  std::string folded;         // letters and digits only, lower case; "" when there are none
  bool space_before = false;  // in the source
};

/// Every visible character of `text` is in exactly one token. The tokens point into `text`.
std::vector<Token> Tokenise(std::string_view text);

/// The folded words with one space between: "Thank you." -> "thank you".
std::string Fold(std::string_view text);

/// The columns a terminal or a caption needs: 2 for wide East Asian characters, 0 for marks.
std::size_t Columns(std::string_view text);

/// `left` and `right` as one text: with a space between unless both sides are of a script without.
std::string JoinTexts(std::string_view left, std::string_view right);

/// Ends a sentence: . ! ? … and their relatives, closing quotes and brackets aside.
bool EndsSentence(std::string_view text);

/// The whole text is the same words said twice or more, two words at least: "Press four. Press
/// four."
bool RepeatsItself(std::string_view text);

/// Valid UTF-8 on one line: no control characters, runs of white space are one space, none around.
std::string OneLine(std::string_view text);

}  // namespace headroom::speech
