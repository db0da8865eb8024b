#include "speech/text/phonetic.h"

#include "speech/text/unicode.h"

namespace headroom::speech {
namespace {

// The word in capital ASCII letters, without accents.
std::string Plain(std::string_view word) {
  struct Like {
    std::u32string_view letters;
    std::string_view plain;
  };
  static constexpr Like kLike[] = {
      {U"àáâãäåā", "A"}, {U"æ", "AE"},  {U"çćč", "C"}, {U"ďđð", "D"},     {U"èéêëēęě", "E"},
      {U"ìíîïī", "I"},   {U"ł", "L"},   {U"ñńň", "N"}, {U"òóôõöøő", "O"}, {U"œ", "OE"},
      {U"řŕ", "R"},      {U"śšş", "S"}, {U"ß", "SS"},  {U"ťţ", "T"},      {U"ùúûüūůű", "U"},
      {U"ýÿ", "Y"},      {U"źżž", "Z"}};
  std::string plain;
  while (!word.empty()) {
    const char32_t c = LowerCase(TakeCodePoint(word));
    if (c >= 'a' && c <= 'z') {
      plain += static_cast<char>(c - 'a' + 'A');
      continue;
    }
    for (const Like& like : kLike)
      if (like.letters.find(c) != std::u32string_view::npos) plain += like.plain;
  }
  return plain;
}

bool OneOf(char c, std::string_view letters) {
  return c != 0 && letters.find(c) != std::string_view::npos;
}

bool IsVowel(char c) {
  return OneOf(c, "AEIOU");
}

}  // namespace

std::string Metaphone(std::string_view word) {
  std::string w;
  for (const char c : Plain(word))
    if (w.empty() || w.back() != c || c == 'C') w += c;
  if (w.starts_with("KN") || w.starts_with("GN") || w.starts_with("PN") || w.starts_with("AE") ||
      w.starts_with("WR"))
    w.erase(0, 1);
  if (w.starts_with("X")) w[0] = 'S';
  if (w.starts_with("WH")) w.erase(1, 1);
  const auto at = [&](std::size_t i) { return i < w.size() ? w[i] : '\0'; };
  std::string code;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const char before = i > 0 ? w[i - 1] : '\0', next = at(i + 1), after = at(i + 2);
    switch (w[i]) {
      case 'A':
      case 'E':
      case 'I':
      case 'O':
      case 'U':
        if (i == 0) code += w[i];
        break;
      case 'B':
        if (!(before == 'M' && next == '\0')) code += 'B';
        break;
      case 'C':
        if (next == 'I' && after == 'A')
          code += 'X';
        else if (next == 'H')
          code += before == 'S' ? 'K' : 'X';
        else if (OneOf(next, "IEY"))
          code += before == 'S' ? "" : "S";
        else
          code += 'K';
        break;
      case 'D':
        code += next == 'G' && OneOf(after, "EYI") ? 'J' : 'T';
        break;
      case 'G':
        if (next == 'H' && after != '\0' && !IsVowel(after)) break;
        if (next == 'N' && (after == '\0' || w.substr(i) == "GNED")) break;
        if (before == 'D' && OneOf(next, "EYI")) break;
        code += OneOf(next, "IEY") ? 'J' : 'K';
        break;
      case 'H':
        if (OneOf(before, "CSPTG") || (IsVowel(before) && !IsVowel(next))) break;
        code += 'H';
        break;
      case 'K':
        if (before != 'C') code += 'K';
        break;
      case 'P':
        code += next == 'H' ? 'F' : 'P';
        break;
      case 'Q':
        code += 'K';
        break;
      case 'S':
        code += next == 'H' || (next == 'I' && OneOf(after, "OA")) ? 'X' : 'S';
        break;
      case 'T':
        if (next == 'I' && OneOf(after, "OA"))
          code += 'X';
        else if (next == 'H')
          code += '0';
        else if (!(next == 'C' && after == 'H'))
          code += 'T';
        break;
      case 'V':
        code += 'F';
        break;
      case 'W':
      case 'Y':
        if (IsVowel(next)) code += w[i];
        break;
      case 'X':
        code += "KS";
        break;
      case 'Z':
        code += 'S';
        break;
      default:  // F J L M N R
        code += w[i];
    }
  }
  return code;
}

std::string KoelnerPhonetik(std::string_view word) {
  const std::string w = Plain(word);
  const auto at = [&](std::size_t i) { return i < w.size() ? w[i] : '\0'; };
  std::string all;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const char before = i > 0 ? w[i - 1] : '\0', next = at(i + 1);
    switch (w[i]) {
      case 'H':
        break;
      case 'B':
        all += '1';
        break;
      case 'P':
        all += next == 'H' ? '3' : '1';
        break;
      case 'D':
      case 'T':
        all += OneOf(next, "CSZ") ? '8' : '2';
        break;
      case 'F':
      case 'V':
      case 'W':
        all += '3';
        break;
      case 'G':
      case 'K':
      case 'Q':
        all += '4';
        break;
      case 'C':
        if (i == 0)
          all += OneOf(next, "AHKLOQRUX") ? '4' : '8';
        else
          all += OneOf(next, "AHKOQUX") && !OneOf(before, "SZ") ? '4' : '8';
        break;
      case 'X':
        all += OneOf(before, "CKQ") ? "8" : "48";
        break;
      case 'L':
        all += '5';
        break;
      case 'M':
      case 'N':
        all += '6';
        break;
      case 'R':
        all += '7';
        break;
      case 'S':
      case 'Z':
        all += '8';
        break;
      default:  // vowels, J and Y
        all += '0';
    }
  }
  std::string code;
  char last = '\0';
  for (const char c : all) {
    if (c != last && (c != '0' || code.empty())) code += c;
    last = c;
  }
  return code;
}

std::string PhoneticCode(std::string_view word, std::string_view language) {
  return language == "de" ? KoelnerPhonetik(word) : Metaphone(word);
}

}  // namespace headroom::speech
