#include "models/formats/tokenizer_merges.h"

#include <string_view>
#include <unordered_map>

namespace headroom::models {
namespace {

std::size_t LetterBytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// The boundaries of the token's letters: 0, …, its length.
std::vector<std::size_t> Letters(std::string_view token) {
  std::vector<std::size_t> cuts{0};
  while (cuts.back() < token.size())
    cuts.push_back(std::min(token.size(), cuts.back() + LetterBytes(token[cuts.back()])));
  return cuts;
}

}  // namespace

std::vector<std::string> RecoverMerges(std::span<const std::string> tokens) {
  std::unordered_map<std::string_view, std::size_t> rank;
  std::vector<std::string> merges;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    std::vector<std::size_t> cuts = Letters(token);
    // Join the two neighbours whose union came first, until two parts are left.
    while (cuts.size() > 3) {
      std::size_t best = 0, best_rank = id;
      for (std::size_t i = 1; i + 1 < cuts.size(); ++i) {
        const auto it = rank.find(token.substr(cuts[i - 1], cuts[i + 1] - cuts[i - 1]));
        if (it != rank.end() && it->second < best_rank) best = i, best_rank = it->second;
      }
      if (best == 0) break;
      cuts.erase(cuts.begin() + static_cast<std::ptrdiff_t>(best));
    }
    if (cuts.size() == 3) {
      std::string merge(token.substr(0, cuts[1]));
      merges.push_back(merge + " " + std::string(token.substr(cuts[1])));
    }
    rank.emplace(token, id);
  }
  return merges;
}

}  // namespace headroom::models
