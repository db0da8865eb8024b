#include "speech/text/numbers.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace headroom::speech {
namespace {

constexpr std::size_t kLongestWord = 80;
constexpr std::size_t kMostWords = 16;
constexpr std::int64_t kLargest = 999'999'999'999'999;

enum class Kind { kOne, kTen, kScale, kUnitJoin, kScaleJoin };

// A part of a number: "twenty"; "ein", "und" and "zwanzig" of "einundzwanzig".
struct Part {
  Kind kind;
  std::int64_t value;
  bool last_of_word;
};

class Reader {
 public:
  Reader(std::span<const std::string> words, const NumberWords& numbers)
      : words_(words.first(std::min(words.size(), kMostWords))), numbers_(numbers) {}

  std::optional<SpokenNumber> Read() {
    if (auto digits = DigitString()) return digits;
    auto whole = Cardinal(0);
    if (!whole) return std::nullopt;
    std::string digits = std::to_string(whole->value);
    std::size_t used = whole->words;
    bool convert = whole->value >= 10;
    if (numbers_.years && whole->plain && whole->value >= 11 && whole->value <= 20) {
      if (const auto rest = Cardinal(used);
          rest && rest->plain && rest->value >= 10 && rest->value <= 99) {
        digits += std::to_string(rest->value);
        used += rest->words;
      }
    }
    if (used + 1 < words_.size() && numbers_.points.contains(words_[used])) {
      std::string fraction;
      std::size_t at = used + 1;
      while (at < words_.size() && IsDigit(words_[at]))
        fraction += std::to_string(numbers_.ones.at(words_[at++]));
      if (fraction.empty()) {
        if (const auto rest = Cardinal(at); rest && rest->plain && rest->value <= 99) {
          fraction = std::to_string(rest->value);
          at += rest->words;
        }
      }
      if (!fraction.empty()) {
        digits += numbers_.decimal + fraction;
        used = at;
        convert = true;
      }
    }
    if (used < words_.size() && numbers_.percents.contains(words_[used])) {
      digits += numbers_.percent;
      ++used;
      convert = true;
    }
    if (!convert || (used < words_.size() && numbers_.not_before.contains(words_[used])))
      return std::nullopt;
    return SpokenNumber{used, digits};
  }

 private:
  struct Whole {
    std::int64_t value;
    std::size_t words;
    bool plain;  // below a hundred, without a scale
  };

  bool IsDigit(const std::string& word) const {
    const auto found = numbers_.ones.find(word);
    return found != numbers_.ones.end() && found->second <= 9;
  }

  std::optional<SpokenNumber> DigitString() const {
    std::string digits;
    std::size_t used = 0;
    while (used < words_.size() && IsDigit(words_[used]))
      digits += std::to_string(numbers_.ones.at(words_[used++]));
    // The last may be the beginning of something else: "one two three hundred", "… three point".
    const auto next = used < words_.size() ? PartsOf(words_[used]) : std::vector<Part>();
    const bool goes_on = (!next.empty() && next[0].kind <= Kind::kScale) ||
                         (used < words_.size() && numbers_.points.contains(words_[used]));
    if (digits.size() < 3 || goes_on) return std::nullopt;
    return SpokenNumber{used, digits};
  }

  // The parts of a word, all of it; empty when it is no number.
  std::vector<Part> PartsOf(std::string_view word) const {
    std::vector<Part> parts;
    if (word.empty() || word.size() > kLongestWord || !Split(word, parts)) return {};
    parts.back().last_of_word = true;
    return parts;
  }

  // The longest part first; goes back where that leads nowhere. Each part is shorter than the rest.
  bool Split(std::string_view rest, std::vector<Part>& parts) const {
    if (rest.empty()) return true;
    if (parts.size() >= 12) return false;
    for (std::size_t size = rest.size(); size > 0; --size) {
      const std::string piece(rest.substr(0, size));
      std::optional<Part> part;
      if (const auto one = numbers_.ones.find(piece); one != numbers_.ones.end())
        part = Part{Kind::kOne, one->second, false};
      else if (const auto ten = numbers_.tens.find(piece); ten != numbers_.tens.end())
        part = Part{Kind::kTen, ten->second, false};
      else if (const auto scale = numbers_.scales.find(piece); scale != numbers_.scales.end())
        part = Part{Kind::kScale, scale->second, false};
      else if (numbers_.unit_joins.contains(piece))
        part = Part{Kind::kUnitJoin, 0, false};
      else if (numbers_.scale_joins.contains(piece))
        part = Part{Kind::kScaleJoin, 0, false};
      if (!part) continue;
      parts.push_back(*part);
      if (Split(rest.substr(size), parts)) return true;
      parts.pop_back();
    }
    return false;
  }

  // The longest cardinal number that begins at a word and ends with one.
  std::optional<Whole> Cardinal(std::size_t from) const {
    std::vector<Part> parts;
    for (std::size_t at = from; at < words_.size(); ++at) {
      const auto more = PartsOf(words_[at]);
      if (more.empty()) break;
      parts.insert(parts.end(), more.begin(), more.end());
    }
    std::optional<Whole> best;
    std::int64_t total = 0, current = 0, last_scale = kLargest;
    std::size_t words = 0;
    bool any = false, named = false, scaled = false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      const Part* before = i > 0 ? &parts[i - 1] : nullptr;
      const Part* next = i + 1 < parts.size() ? &parts[i + 1] : nullptr;
      switch (part.kind) {
        case Kind::kOne: {
          const bool fits = part.value == 0   ? !any
                            : part.value < 10 ? current % 10 == 0 && current % 100 != 10
                                              : current % 100 == 0;
          if (!fits || (any && total == 0 && current == 0 && !scaled)) return best;
          current += part.value;
          named = true;
          break;
        }
        case Kind::kTen: {
          const bool joined = before && before->kind == Kind::kUnitJoin;
          if (!joined && current % 100 != 0) return best;
          if (any && !scaled && !joined) return best;
          current += part.value;
          named = true;
          break;
        }
        case Kind::kScale:
          // On its own it is a number only as the beginning of a word: "hundertfünf".
          if (!any && part.last_of_word) return best;
          if (part.value == 100) {
            if (current > 99 || (any && current == 0)) return best;
            current = std::max<std::int64_t>(1, current) * 100;
          } else {
            if (part.value >= last_scale || (any && current == 0)) return best;
            // "two million" stays so, but "two million five hundred" is a number.
            const bool last = !next;
            if (part.value >= 1'000'000 && last) return best;
            total += std::max<std::int64_t>(1, current) * part.value;
            if (total > kLargest) return best;
            current = 0;
            last_scale = part.value;
          }
          scaled = true;
          break;
        case Kind::kUnitJoin:
          if (!before || before->kind != Kind::kOne || before->value == 0 || before->value > 9 ||
              !next || next->kind != Kind::kTen)
            return best;
          break;
        case Kind::kScaleJoin:
          if (!before || before->kind != Kind::kScale || !next || next->kind == Kind::kScale)
            return best;
          break;
      }
      any = true;
      if (!part.last_of_word) continue;
      ++words;
      if (named && part.kind != Kind::kUnitJoin && part.kind != Kind::kScaleJoin)
        best = Whole{total + current, words, !scaled};
    }
    return best;
  }

  const std::span<const std::string> words_;
  const NumberWords& numbers_;
};

}  // namespace

std::optional<SpokenNumber> ReadNumber(std::span<const std::string> words,
                                       const NumberWords& numbers) {
  if (words.empty() || numbers.ones.empty()) return std::nullopt;
  return Reader(words, numbers).Read();
}

}  // namespace headroom::speech
