// How models are named: "whisper-base", "whisper-base:Q8_0", the path of a file; and how their
// files in the store are called: "whisper-base-Q8_0.gguf".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headroom::models {

/// What a person wrote. `quantisation` is in its canonical spelling, empty when none was asked for.
struct ModelSpec {
  std::string name;
  std::string quantisation;
};

/// "whisper-base:q8_0" -> {whisper-base, Q8_0}. kInvalid for names that could not be file names and
/// for quantisations that do not exist.
Result<ModelSpec> ParseSpec(std::string_view text);

/// "whisper-base:Q8_0", or only the name.
std::string ToString(const ModelSpec& spec);

/// Whether the text means a file rather than a name: it has a slash, or ends in .gguf or .bin.
bool LooksLikePath(std::string_view text);

/// Letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 64 characters.
bool IsModelName(std::string_view text);

/// "q5_k_m" -> "Q5_K_M"; nullopt for what no published or made file is called.
std::optional<std::string> CanonicalQuantisation(std::string_view text);

/// Best first: what is used when several are there and none was asked for.
std::span<const std::string_view> QuantisationsByPreference();

/// whisper-base-Q8_0.gguf; the quantisation of `spec` must be set.
std::string StoreFileName(const ModelSpec& spec);
/// The inverse; nullopt for a file that is not called like that.
std::optional<ModelSpec> ParseStoreFileName(std::string_view file);

}  // namespace headroom::models
