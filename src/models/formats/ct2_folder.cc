#include "models/formats/ct2_folder.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "models/formats/import_mel.h"

namespace headroom::models {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

Result<json> ReadObject(const fs::path& file) {
  TRY_ASSIGN(const std::string text, ReadFile(file, MiB(16)));
  json root = json::parse(text, nullptr, false);
  if (!root.is_object()) return Fail(Errc::kCorrupt, "{}: not a JSON object", file.native());
  return root;
}

Result<std::vector<std::int32_t>> TokenIds(const json& root, const char* key,
                                           std::int64_t vocabulary) {
  const json list = root.value(key, json());
  if (!list.is_array() || list.size() > static_cast<std::size_t>(vocabulary))
    return Fail(Errc::kCorrupt, "no list {}", key);
  std::vector<std::int32_t> ids;
  for (const json& id : list) {
    if (!id.is_number_integer() || id < 0 || id >= vocabulary)
      return Fail(Errc::kCorrupt, "{} has something that is no token", key);
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

Result<std::vector<float>> Filters(const json& rows, std::int64_t mels) {
  // (mels, bins), or the other way round in newer files.
  const auto shape = [&](std::int64_t outer, std::int64_t inner) {
    if (!rows.is_array() || rows.size() != static_cast<std::size_t>(outer)) return false;
    for (const json& row : rows)
      if (!row.is_array() || row.size() != static_cast<std::size_t>(inner)) return false;
    return true;
  };
  const bool upright = shape(mels, kWhisperBins);
  if (!upright && !shape(kWhisperBins, mels))
    return Fail(Errc::kCorrupt, "mel_filters are not {} rows of {} numbers", mels, kWhisperBins);
  std::vector<float> filters;
  for (std::size_t mel = 0; mel < static_cast<std::size_t>(mels); ++mel) {
    for (std::size_t bin = 0; bin < kWhisperBins; ++bin) {
      const json& value = upright ? rows[mel][bin] : rows[bin][mel];
      if (!value.is_number() || !std::isfinite(value.get<float>()))
        return Fail(Errc::kCorrupt, "mel_filters has something that is not a number");
      filters.push_back(value.get<float>());
    }
  }
  return filters;
}

}  // namespace

Result<Ct2Config> ReadCt2Config(const fs::path& folder, std::int64_t vocabulary) {
  const fs::path file = folder / "config.json";
  TRY_ASSIGN(const json root, ReadObject(file));
  Ct2Config config;
  auto suppressed = TokenIds(root, "suppress_ids", vocabulary);
  if (!suppressed) return Within(suppressed, "{}", file.native());
  config.suppressed = std::move(*suppressed);
  auto first = TokenIds(root, "suppress_ids_begin", vocabulary);
  if (!first) return Within(first, "{}", file.native());
  config.suppressed_first = std::move(*first);
  return config;
}

Result<std::vector<float>> ReadMelFilters(const fs::path& folder, std::int64_t mels) {
  const fs::path file = folder / "preprocessor_config.json";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return SlaneyFilterBank(mels);
  TRY_ASSIGN(const json root, ReadObject(file));
  if (const auto it = root.find("feature_size"); it != root.end() && *it != mels)
    return Fail(Errc::kCorrupt, "{}: it is for another model: {} mel bands, model.bin has {}",
                file.native(), it->dump(), mels);
  if (!root.contains("mel_filters")) return SlaneyFilterBank(mels);
  auto filters = Filters(root["mel_filters"], mels);
  if (!filters) return Within(filters, "{}", file.native());
  return filters;
}

}  // namespace headroom::models
