#include "speech/text/words.h"

#include <algorithm>

#include "base/text.h"
#include "speech/text/unicode.h"

namespace headroom::speech {
namespace {

// Builds one token after the other from the characters of a text.
class Tokeniser {
 public:
  explicit Tokeniser(std::string_view text) : text_(text) {}

  std::vector<Token> Run() {
    std::string_view rest = text_;
    while (!rest.empty()) {
      const std::size_t at = text_.size() - rest.size();
      const char32_t c = TakeCodePoint(rest);
      Take(c, at, text_.size() - rest.size());
    }
    Finish();
    return std::move(tokens_);
  }

 private:
  void Take(char32_t c, std::size_t begin, std::size_t end) {
    const CharClass kind = ClassOf(c);
    if (kind == CharClass::kSpace) {
      Finish();
      space_ = true;
      return;
    }
    if (open_ && StartsAnother(kind)) Finish();
    if (!open_) {
      open_ = true;
      begin_ = begin;
      core_end_ = begin;
      folded_.clear();
      ideograph_ = false;
    }
    end_ = end;
    if (kind == CharClass::kLetter || kind == CharClass::kIdeograph || kind == CharClass::kMark) {
      if (kind != CharClass::kMark) ideograph_ = kind == CharClass::kIdeograph;
      core_end_ = end;
      AppendCodePoint(LowerCase(c), folded_);
    }
  }

  bool StartsAnother(CharClass kind) const {
    if (folded_.empty()) return false;  // so far only opening punctuation
    switch (kind) {
      case CharClass::kIdeograph:
        return true;
      case CharClass::kLetter:
      case CharClass::kOpening:
        return ideograph_;
      default:
        return false;
    }
  }

  void Finish() {
    if (!open_) return;
    open_ = false;
    const auto text = text_.substr(begin_, end_ - begin_);
    if (folded_.empty() && !tokens_.empty()) {  // a dash between spaces stays with what it follows
      Token& last = tokens_.back();
      const auto offset = static_cast<std::size_t>(last.text.data() - text_.data());
      last.text = text_.substr(offset, end_ - offset);
    } else if (tokens_.size() == 1 && tokens_[0].folded.empty()) {  // …and at the front, precedes
      Token& first = tokens_[0];
      const auto offset = static_cast<std::size_t>(first.text.data() - text_.data());
      first = {text_.substr(offset, end_ - offset), core_end_ - offset, folded_,
               first.space_before};
    } else {
      tokens_.push_back({text, core_end_ - begin_, folded_, space_});
    }
    space_ = false;
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  bool space_ = false;  // white space since the last token
  // The token being built.
  bool open_ = false;
  std::size_t begin_ = 0, end_ = 0, core_end_ = 0;
  std::string folded_;
  bool ideograph_ = false;
};

bool WithoutSpaces(char32_t c) {
  const CharClass kind = ClassOf(c);
  return kind == CharClass::kIdeograph ||
         (kind != CharClass::kLetter && (c >= 0x3000 && c <= 0x303F)) ||
         (c >= 0xFF01 && c <= 0xFF65);
}

char32_t FirstOf(std::string_view text) {
  return TakeCodePoint(text);
}

// The last code point that is no mark.
char32_t LastOf(std::string_view text) {
  char32_t last = 0;
  while (!text.empty()) {
    const char32_t c = TakeCodePoint(text);
    if (ClassOf(c) != CharClass::kMark) last = c;
  }
  return last;
}

}  // namespace

std::vector<Token> Tokenise(std::string_view text) {
  return Tokeniser(text).Run();
}

std::string Fold(std::string_view text) {
  std::string folded;
  for (const Token& token : Tokenise(text)) {
    if (token.folded.empty()) continue;
    if (!folded.empty()) folded += ' ';
    folded += token.folded;
  }
  return folded;
}

std::size_t Columns(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) columns += static_cast<std::size_t>(ColumnsOf(TakeCodePoint(text)));
  return columns;
}

std::string JoinTexts(std::string_view left, std::string_view right) {
  left = Trim(left);
  right = Trim(right);
  std::string joined(left);
  if (!left.empty() && !right.empty()) {
    const auto tail = left.substr(left.size() > 16 ? left.size() - 16 : 0);
    if (!(WithoutSpaces(LastOf(tail)) && WithoutSpaces(FirstOf(right)))) joined += ' ';
  }
  joined += right;
  return joined;
}

bool EndsSentence(std::string_view text) {
  constexpr std::u32string_view kEnds = U".!?…。！？．｡؟۔।॥";
  constexpr std::u32string_view kClosing = U"\"')]}’”»」』）】 ";
  bool ends = false;
  while (!text.empty()) {
    const char32_t c = TakeCodePoint(text);
    if (kEnds.find(c) != std::u32string_view::npos)
      ends = true;
    else if (kClosing.find(c) == std::u32string_view::npos)
      ends = false;
  }
  return ends;
}

bool RepeatsItself(std::string_view text) {
  std::vector<std::string> words;
  for (Token& token : Tokenise(text))
    if (!token.folded.empty()) words.push_back(std::move(token.folded));
  constexpr std::size_t kFewest = 2;
  for (std::size_t period = kFewest; 2 * period <= words.size(); ++period) {
    if (words.size() % period == 0 &&
        std::equal(words.begin() + static_cast<std::ptrdiff_t>(period), words.end(), words.begin()))
      return true;
  }
  return false;
}

std::string OneLine(std::string_view text) {
  std::string line;
  bool space = false;
  for (const char c : Printable(text)) {
    if (c == ' ' || c == '\n' || c == '\t') {
      space = !line.empty();
      continue;
    }
    if (space) line += ' ';
    space = false;
    line += c;
  }
  return line;
}

}  // namespace headroom::speech
