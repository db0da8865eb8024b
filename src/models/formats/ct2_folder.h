// The small files beside CTranslate2's model.bin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.h"

namespace headroom::models {

/// What we use of config.json.
struct Ct2Config {
  std::vector<std::int32_t> suppressed;        // tokens that are never chosen
  std::vector<std::int32_t> suppressed_first;  // nor as the first one
};

Result<Ct2Config> ReadCt2Config(const std::filesystem::path& folder, std::int64_t vocabulary);

/// From precpu_config.json when it has them, else computed. Row-major (mels, 201).
Result<std::vector<float>> ReadMelFilters(const std::filesystem::path& folder, std::int64_t mels);

}  // namespace headroom::models
