#include "asr/client/plan_cache.h"

#include <span>

#include "base/file.h"
#include "base/sha256.h"

namespace headroom::asr {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr Bytes kLargestEntry = KiB(64);

json ToJson(const PlanKey& key) {
  json chunks = json::array();
  for (const Milliseconds chunk : key.chunks) chunks.push_back(chunk.count());
  return {{"format", kFormat},      {"protocol", kProtocolVersion},
          {"header", key.header},   {"size", key.size.n},
          {"mtime", key.mtime},     {"engine", key.engine},
          {"profile", key.profile}, {"chunks", chunks},
          {"batch", key.batch},     {"processor", key.cpu}};
}

}  // namespace

std::filesystem::path PlanCache::PathOf(const PlanKey& key) const {
  Sha256 name;
  const std::string text = ToJson(key).dump();
  name.Add(std::as_bytes(std::span(text)));
  return folder_ / (name.Finish().substr(0, 32) + ".json");
}

std::optional<PlanResult> PlanCache::Find(const PlanKey& key) const {
  const auto text = ReadFile(PathOf(key), kLargestEntry);
  if (!text) return std::nullopt;
  const json entry = json::parse(*text, nullptr, false);
  if (!entry.is_object() || entry.value("key", json()) != ToJson(key)) return std::nullopt;
  auto plan = ParsePlanResult(entry.value("plan", json()));
  if (!plan || plan->chunks.size() != key.chunks.size()) return std::nullopt;
  return std::move(*plan);
}

void PlanCache::Store(const PlanKey& key, const PlanResult& plan) const {
  if (!MakeDirectories(folder_)) return;
  const json entry = {{"key", ToJson(key)}, {"plan", asr::ToJson(plan)}};
  // Whatever comes of it: without an entry the plan is made again.
  (void)WriteFileAtomic(PathOf(key), entry.dump(1) + "\n");
}

}  // namespace headroom::asr
