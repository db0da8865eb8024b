#include "asr/sim/device_profile.h"

#include <nlohmann/json.hpp>

namespace headroom::worker {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxName = 200;
constexpr std::int64_t kMaxAlignment = 4096;

constexpr const char* kPlainName = "plain";
constexpr const char* kCudaRowsName = "cuda_rows";

bool ReadName(const json& value, std::string& into) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return false;
  into = value.get<std::string>();
  return into.size() <= kMaxName;
}

bool ReadSize(const json& value, std::int64_t low, Bytes& into) {
  if (!value.is_number_integer() || value > (std::int64_t{1} << 50)) return false;
  into = Bytes(value.get<std::int64_t>());
  return into.n >= low;
}

bool ReadRule(const json& value, SizeRule& into) {
  if (value == kPlainName) into = SizeRule::kPlain;
  if (value == kCudaRowsName) into = SizeRule::kCudaRows;
  return value == kPlainName || value == kCudaRowsName;
}

bool ReadOperations(const json& value, std::set<std::string>& into) {
  if (!value.is_array()) return false;
  for (const json& item : value) {
    std::string name;
    if (!ReadName(item, name)) return false;
    into.insert(std::move(name));
  }
  return true;
}

bool ReadMember(const std::string& key, const json& value, DeviceProfile& profile) {
  if (key == "registry") return ReadName(value, profile.registry);
  if (key == "name") return ReadName(value, profile.name);
  if (key == "description") return ReadName(value, profile.description);
  if (key == "alignment") return ReadSize(value, 1, profile.alignment);
  if (key == "largest_buffer") return ReadSize(value, 0, profile.largest_buffer);
  if (key == "granularity") return ReadSize(value, 1, profile.granularity);
  if (key == "size_rule") return ReadRule(value, profile.size_rule);
  if (key == "unsupported") return ReadOperations(value, profile.unsupported);
  return false;
}

}  // namespace

Result<DeviceProfile> ParseDeviceProfile(std::string_view text) {
  DeviceProfile profile;
  if (text.empty()) return profile;
  const json body = json::parse(text, nullptr, false);
  if (!body.is_object()) return Fail(Errc::kInvalid, "device profile: not a JSON object");
  for (const auto& [key, value] : body.items()) {
    if (!ReadMember(key, value, profile))
      return Fail(Errc::kInvalid, "device profile: wrong or unknown \"{}\"", key);
  }
  const std::int64_t alignment = profile.alignment.n;
  if (alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0)
    return Fail(Errc::kInvalid, "device profile: an alignment of {} bytes", alignment);
  return profile;
}

std::string ToText(const DeviceProfile& profile) {
  const json body = {
      {"registry", profile.registry},
      {"name", profile.name},
      {"description", profile.description},
      {"alignment", profile.alignment.n},
      {"largest_buffer", profile.largest_buffer.n},
      {"granularity", profile.granularity.n},
      {"size_rule", profile.size_rule == SizeRule::kPlain ? kPlainName : kCudaRowsName},
      {"unsupported", profile.unsupported}};
  return body.dump(2) + "\n";
}

}  // namespace headroom::worker
