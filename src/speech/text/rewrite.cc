#include "speech/text/rewrite.h"

#include <algorithm>
#include <utility>

#include "speech/text/numbers.h"
#include "speech/text/unicode.h"
#include "speech/text/words.h"

namespace headroom::speech {

// A word with what surrounds it, or a command.
struct Rewriter::Piece {
  const SpokenCommand* command = nullptr;  // null: a word
  std::string lead{};                      // opening punctuation
  std::string text{};
  std::string closing{};  // punctuation after it
  std::string folded{};
  bool space = false;  // before it
  bool fixed = false;  // written exactly so
};

namespace {

bool IsWordChar(char32_t c) {
  const CharClass kind = ClassOf(c);
  return kind == CharClass::kLetter || kind == CharClass::kIdeograph || kind == CharClass::kMark;
}

std::string Capitalised(std::string_view word) {
  std::string capitalised;
  if (!word.empty()) AppendCodePoint(UpperCase(TakeCodePoint(word)), capitalised);
  return capitalised.append(word);
}

std::string AllCapitals(std::string_view word) {
  std::string capitals;
  while (!word.empty()) AppendCodePoint(UpperCase(TakeCodePoint(word)), capitals);
  return capitals;
}

bool IsBreak(std::string_view write) {
  return write.find('\n') != std::string_view::npos;
}

// Punctuation that the recogniser put before or after a command gives way to what is written: what
// joins a word takes the place of what stood there. A symbol such as % may still end a sentence.
bool TakesPlaceBefore(const SpokenCommand& command) {
  return command.joins == Joins::kLeft || command.joins == Joins::kBoth;
}
bool TakesPlaceAfter(const SpokenCommand& command) {
  return command.joins == Joins::kRight || command.joins == Joins::kBoth ||
         (command.joins == Joins::kLeft && JoinsOf(command.write) == Joins::kLeft);
}

// Of the punctuation after a word only quotes and brackets that close.
std::string Closers(std::string_view punctuation) {
  constexpr std::u32string_view kClosers = U"\"')]}’”»";
  std::string closers;
  while (!punctuation.empty()) {
    const char32_t c = TakeCodePoint(punctuation);
    if (kClosers.find(c) != std::u32string_view::npos) AppendCodePoint(c, closers);
  }
  return closers;
}

bool BeginsWithCapital(std::string_view text) {
  if (text.empty()) return false;
  const char32_t c = TakeCodePoint(text);
  return LowerCase(c) != c;
}

std::string_view WithoutPossessive(std::string_view text) {
  for (const std::string_view ending : {"'s", "’s"})
    if (text.ends_with(ending) && text.size() > ending.size())
      return text.substr(0, text.size() - ending.size());
  return text;
}

}  // namespace

Rewriter::Rewriter(RewriteTable table, const RewriteOptions& options)
    : table_(std::move(table)),
      digits_(options.digits),
      vocabulary_(options.vocabulary, table_.language) {
  for (const auto& [phrase, write] : options.own_commands) {
    // A phrase that the user defined is a command wherever it is said.
    static_cast<void>(table_.Set(phrase, {.write = write, .joins = JoinsOf(write), .noun = false}));
  }
  if (!options.commands) table_.commands.clear();
  for (const auto& [phrase, write] : options.replacements) {
    const std::string folded = Fold(phrase);
    if (folded.empty()) continue;
    replacements_[folded] = write;
    longest_replacement_ = std::max(longest_replacement_,
                                    static_cast<std::size_t>(std::ranges::count(folded, ' ')) + 1);
  }
}

Rewritten Rewriter::Rewrite(std::string_view text) const {
  std::vector<Piece> pieces = Words(text);
  FindCommands(pieces);
  if (!vocabulary_.empty()) FindVocabulary(pieces);
  if (!replacements_.empty()) Replace(pieces);
  return Write(pieces);
}

std::vector<Rewriter::Piece> Rewriter::Words(std::string_view text) const {
  const std::string line = OneLine(text);
  std::vector<Piece> words;
  for (const Token& token : Tokenise(line)) {
    std::string_view core = token.text.substr(0, token.core_end);
    std::size_t lead = 0;
    for (std::string_view rest = core; !rest.empty() && !IsWordChar(TakeCodePoint(rest));)
      lead = core.size() - rest.size();
    words.push_back({.lead = std::string(core.substr(0, lead)),
                     .text = std::string(core.substr(lead)),
                     .closing = std::string(token.text.substr(token.core_end)),
                     .folded = token.folded,
                     .space = token.space_before});
  }
  return words;
}

// The longest phrase of the table that begins at a word; nothing but spaces may be inside it.
const SpokenCommand* Rewriter::CommandAt(const std::vector<Piece>& words, std::size_t at,
                                         std::size_t* length) const {
  const SpokenCommand* longest = nullptr;
  std::string phrase;
  for (std::size_t size = 1; size <= table_.longest && at + size <= words.size(); ++size) {
    const Piece& word = words[at + size - 1];
    if (size > 1 && (!words[at + size - 2].closing.empty() || !word.lead.empty())) break;
    phrase += (size > 1 ? " " : "") + word.folded;
    const auto found = table_.commands.find(phrase);
    if (found == table_.commands.end()) continue;
    longest = &found->second;
    *length = size;
  }
  return longest;
}

bool Rewriter::IsMeant(const SpokenCommand& command, const Piece* previous,
                       const std::vector<Piece>& words, std::size_t at, std::size_t length) const {
  const bool after_command = previous && previous->command;
  const Piece* before = after_command ? nullptr : previous;
  const Piece* next = at + length < words.size() ? &words[at + length] : nullptr;
  const bool apart_before = !before || !before->closing.empty();
  const bool apart_after = !next || !words[at + length - 1].closing.empty();
  if (!apart_before) {
    if (command.noun && table_.articles.contains(before->folded)) return false;
    if (command.not_after.contains(before->folded)) return false;
  }
  if (!apart_after && command.not_before.contains(next->folded)) return false;
  if (!command.set_off) return true;
  std::size_t ignored = 0;
  return apart_after || (before && apart_before) || after_command ||
         CommandAt(words, at + length, &ignored) ||
         (table_.capital_sets_off && BeginsWithCapital(next->text) && next->text != "I" &&
          !next->text.starts_with("I'"));
}

void Rewriter::FindCommands(std::vector<Piece>& pieces) const {
  std::vector<Piece> words = std::exchange(pieces, {});
  bool literal = false;
  for (std::size_t at = 0; at < words.size();) {
    if (digits_ && !literal) {
      std::vector<std::string> run;  // with nothing but spaces between
      for (std::size_t i = at; i < words.size(); ++i) {
        if (i > at && (!words[i - 1].closing.empty() || !words[i].lead.empty())) break;
        run.push_back(words[i].folded);
      }
      if (const auto number = ReadNumber(run, table_.numbers)) {
        Piece piece = words[at];
        piece.text = piece.folded = number->digits;
        piece.closing = words[at + number->words - 1].closing;
        piece.fixed = true;
        pieces.push_back(std::move(piece));
        at += number->words;
        continue;
      }
    }
    std::size_t length = 0;
    const SpokenCommand* command = CommandAt(words, at, &length);
    const Piece* previous = pieces.empty() ? nullptr : &pieces.back();
    if (!command || literal || !IsMeant(*command, previous, words, at, length)) {
      const std::size_t plain = command && literal ? length : 1;
      for (std::size_t i = 0; i < plain; ++i) pieces.push_back(std::move(words[at++]));
      literal = false;
      continue;
    }
    std::size_t next_length = 0;
    if (command->action == SpokenAction::kLiteral) {
      // Only before a command; else it is a word like any other.
      if (words[at + length - 1].closing.empty() && CommandAt(words, at + length, &next_length)) {
        literal = true;
        at += length;
      } else {
        pieces.push_back(std::move(words[at++]));
      }
      continue;
    }
    pieces.push_back({.command = command,
                      .lead = {},
                      .text = command->write,
                      .closing = words[at + length - 1].closing,
                      .space = true});
    at += length;
  }
}

void Rewriter::FindVocabulary(std::vector<Piece>& pieces) const {
  std::vector<Piece> old = std::exchange(pieces, {});
  for (std::size_t at = 0; at < old.size();) {
    std::vector<std::string> run;
    for (std::size_t i = at; i < old.size() && !old[i].command && !old[i].fixed; ++i) {
      if (i > at && (!old[i - 1].closing.empty() || !old[i].lead.empty())) break;
      const std::string_view text = WithoutPossessive(old[i].text);
      run.push_back(Fold(text));
      if (text.size() < old[i].text.size()) break;
    }
    const auto match = vocabulary_.Find(run);
    if (!match) {
      pieces.push_back(std::move(old[at++]));
      continue;
    }
    const Piece& last = old[at + match->words - 1];
    Piece piece = old[at];
    piece.text = std::string(match->text) + last.text.substr(WithoutPossessive(last.text).size());
    piece.folded = Fold(piece.text);
    piece.closing = last.closing;
    piece.fixed = true;
    pieces.push_back(std::move(piece));
    at += match->words;
  }
}

void Rewriter::Replace(std::vector<Piece>& pieces) const {
  std::vector<Piece> old = std::exchange(pieces, {});
  for (std::size_t at = 0; at < old.size();) {
    std::string phrase;
    std::size_t length = 0;
    const std::string* write = nullptr;
    for (std::size_t size = 1; size <= longest_replacement_ && at + size <= old.size(); ++size) {
      const Piece& piece = old[at + size - 1];
      if (piece.command) break;
      if (size > 1 && (!old[at + size - 2].closing.empty() || !piece.lead.empty())) break;
      phrase += (size > 1 ? " " : "") + piece.folded;
      const auto found = replacements_.find(phrase);
      if (found == replacements_.end()) continue;
      write = &found->second;
      length = size;
    }
    if (!write) {
      pieces.push_back(std::move(old[at++]));
      continue;
    }
    Piece piece = old[at];
    piece.text = *write;
    piece.closing = old[at + length - 1].closing;
    piece.fixed = true;
    pieces.push_back(std::move(piece));
    at += length;
  }
}

Rewritten Rewriter::Write(const std::vector<Piece>& pieces) {
  Rewritten out;
  std::string pending;        // punctuation after the last word, while a command may replace it
  bool glued = true;          // no space before what comes next
  bool capital = false;       // a sentence begins
  bool next_capital = false;  // by command, as are the others
  bool next_capitals = false, capitals = false;
  for (const Piece& piece : pieces) {
    const SpokenAction action = piece.command ? piece.command->action : SpokenAction::kWrite;
    const bool ends_line = IsBreak(piece.text) && EndsSentence(pending);
    if (action == SpokenAction::kNoSpace ||
        (piece.command && TakesPlaceBefore(*piece.command) && !ends_line))
      pending = Closers(pending);
    switch (action) {
      case SpokenAction::kWrite:
        break;
      case SpokenAction::kCapital:
        next_capital = true;
        continue;
      case SpokenAction::kAllCaps:
        next_capitals = true;
        continue;
      case SpokenAction::kCapsOn:
        capitals = true;
        continue;
      case SpokenAction::kCapsOff:
        capitals = false;
        continue;
      case SpokenAction::kNoSpace:
        out.text += std::exchange(pending, {});
        glued = true;
        continue;
      case SpokenAction::kScratch:
        if (out.text.empty() && pending.empty()) out.scratch_previous = true;
        out.text.clear();
        pending.clear();
        glued = true;
        capital = next_capital = next_capitals = capitals = false;
        continue;
      case SpokenAction::kLiteral:
        continue;  // never in the list
    }
    out.text += std::exchange(pending, {});
    if (piece.command) {
      const Joins joins = piece.command->joins;
      if (!glued && joins != Joins::kLeft && joins != Joins::kBoth) out.text += ' ';
      out.text += piece.text;
      glued = joins == Joins::kRight || joins == Joins::kBoth;
      capital = IsBreak(piece.text) || (joins == Joins::kLeft && EndsSentence(piece.text));
      if (!TakesPlaceAfter(*piece.command)) pending = piece.closing;
      continue;
    }
    if (!glued && piece.space) out.text += ' ';
    out.text += piece.lead;
    if (capitals || next_capitals)
      out.text += AllCapitals(piece.text);
    else if (next_capital || (capital && !piece.fixed))
      out.text += Capitalised(piece.text);
    else
      out.text += piece.text;
    capital = next_capital = next_capitals = glued = false;
    pending = piece.closing;
  }
  out.text += pending;
  return out;
}

}  // namespace headroom::speech
