// How a word sounds, as a short code: words that sound alike have the same. For finding names that
// a recogniser spelled as it heard them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace headroom::speech {

/// Metaphone, for English and, roughly, other languages in Latin letters: Lawrence Philips,
/// "Hanging on the Metaphone", Computer Language 7(12), 1990. "Knight" and "night" are NT; 0 is th,
/// X is sh.
std::string Metaphone(std::string_view word);

/// Kölner Phonetik, for German: Hans Joachim Postel, IBM-Nachrichten 19, 1969. "Meier" and "Mayr"
/// are 67.
std::string KoelnerPhonetik(std::string_view word);

/// The one for the language. Letters without an ASCII form count as none.
std::string PhoneticCode(std::string_view word, std::string_view language);

}  // namespace headroom::speech
