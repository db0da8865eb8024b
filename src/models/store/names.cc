#include "models/store/names.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"

namespace headroom::models {
namespace {

// F16 first: it is what the packages and converters give, and the engine is fast with it. F32 last:
// it costs twice the memory for no better text.
constexpr std::array<std::string_view, 9> kQuantisations = {
    "F16", "Q8_0", "Q5_K_M", "Q6_K", "Q4_K_M", "BF16", "Q5_0", "Q4_0", "F32"};
constexpr std::string_view kSuffix = ".gguf";

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
}

}  // namespace

bool IsModelName(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::isalnum(static_cast<unsigned char>(text[0])) != 0 &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

std::optional<std::string> CanonicalQuantisation(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (std::find(kQuantisations.begin(), kQuantisations.end(), upper) == kQuantisations.end())
    return std::nullopt;
  return upper;
}

std::span<const std::string_view> QuantisationsByPreference() {
  return kQuantisations;
}

Result<ModelSpec> ParseSpec(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (!IsModelName(name))
    return Fail(Errc::kInvalid,
                "\"{}\" is not a model's name; write for example whisper-base or whisper-base:Q8_0",
                Printable(text));
  ModelSpec spec{std::string(name), ""};
  if (colon == std::string_view::npos) return spec;
  auto quantisation = CanonicalQuantisation(text.substr(colon + 1));
  if (!quantisation)
    return Fail(Errc::kInvalid, "\"{}\" is not a quantisation; there are {}",
                Printable(text.substr(colon + 1)), fmt::join(kQuantisations, ", "));
  spec.quantisation = std::move(*quantisation);
  return spec;
}

std::string ToString(const ModelSpec& spec) {
  return spec.quantisation.empty() ? spec.name : spec.name + ":" + spec.quantisation;
}

bool LooksLikePath(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(kSuffix) ||
         text.ends_with(".bin");
}

std::string StoreFileName(const ModelSpec& spec) {
  return fmt::format("{}-{}{}", spec.name, spec.quantisation, kSuffix);
}

std::optional<ModelSpec> ParseStoreFileName(std::string_view file) {
  if (!file.ends_with(kSuffix)) return std::nullopt;
  file.remove_suffix(kSuffix.size());
  const std::size_t dash = file.rfind('-');
  if (dash == std::string_view::npos || !IsModelName(file.substr(0, dash))) return std::nullopt;
  const std::string_view quantisation = file.substr(dash + 1);
  // Only the canonical spelling: two files must not mean one model.
  if (CanonicalQuantisation(quantisation) != quantisation) return std::nullopt;
  return ModelSpec{std::string(file.substr(0, dash)), std::string(quantisation)};
}

}  // namespace headroom::models
