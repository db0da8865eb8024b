#include "observe/probe/device.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "observe/probe/kernel_text.h"
#include "observe/probe/pci.h"

namespace headroom::probe {
namespace {

using nlohmann::json;

constexpr std::array kKinds = {std::string_view("discrete"), std::string_view("unified")};
constexpr std::array kStates = {std::string_view("active"), std::string_view("suspended"),
                                std::string_view("resting"), std::string_view("lost"),
                                std::string_view("error")};

template <class E, std::size_t N>
bool FromName(const json& value, const std::array<std::string_view, N>& names, E& into) {
  if (!value.is_string()) return false;
  for (std::size_t i = 0; i < N; ++i) {
    if (value.get_ref<const std::string&>() != names[i]) continue;
    into = static_cast<E>(i);
    return true;
  }
  return false;
}

std::unexpected<Error> Nonsense(std::string_view field) {
  return Fail(Errc::kProtocol, "a probe line with a wrong or missing {}", field);
}

// A message of ours has no strings with escapes beyond JSON's own, so depth is all that can hurt.
Result<json> ParseObject(std::string_view line) {
  if (line.size() > kMostLine) return Fail(Errc::kProtocol, "a probe line that is too long");
  json body = json::parse(
      line.begin(), line.end(), [](int depth, json::parse_event_t, json&) { return depth <= 5; },
      /*allow_exceptions=*/false);
  if (!body.is_object()) return Fail(Errc::kProtocol, "a probe line that is not a JSON object");
  return body;
}

std::optional<std::int64_t> Integer(const json& object, const char* key, std::int64_t most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(most))
    return std::nullopt;
  const auto value = found->get<std::int64_t>();
  if (value < 0 || value > most) return std::nullopt;
  return value;
}

// False when there is something that is no byte count; an absent key is fine.
bool OptionalBytes(const json& object, const char* key, std::optional<Bytes>& into) {
  if (!object.contains(key)) return true;
  const auto value = Integer(object, key, kMostBytes.n);
  if (value) into = Bytes(*value);
  return value.has_value();
}

// Printable, at most kMostName bytes, cut between characters.
std::string Shown(std::string_view text) {
  std::string shown = Printable(text.substr(0, kMostName));
  if (shown.size() <= kMostName) return shown;
  std::size_t end = kMostName;
  while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xc0) == 0x80) --end;
  shown.resize(end);
  return shown;
}

bool Text(const json& object, const char* key, std::string& into) {
  const auto found = object.find(key);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  into = Shown(found->get_ref<const std::string&>());
  return true;
}

constexpr std::int64_t kMostPid = std::numeric_limits<pid_t>::max();

Result<Device> ParseDevice(const json& body) {
  Device device;
  if (!body.is_object() || !Text(body, "pci", device.pci) || !IsPciAddress(device.pci))
    return Nonsense("pci");
  if (!Text(body, "name", device.name)) return Nonsense("name");
  if (!Text(body, "uuid", device.uuid)) return Nonsense("uuid");
  if (!Text(body, "driver", device.driver)) return Nonsense("driver");
  if (!Text(body, "trouble", device.trouble)) return Nonsense("trouble");
  if (!body.contains("kind") || !FromName(body["kind"], kKinds, device.kind))
    return Nonsense("kind");
  if (!body.contains("state") || !FromName(body["state"], kStates, device.state))
    return Nonsense("state");
  if (!body.contains("can_sleep") || !body["can_sleep"].is_boolean()) return Nonsense("can_sleep");
  device.can_sleep = body["can_sleep"].get<bool>();
  if (!OptionalBytes(body, "total", device.total)) return Nonsense("total");
  if (!OptionalBytes(body, "used", device.used)) return Nonsense("used");
  if (!OptionalBytes(body, "gtt_total", device.gtt_total)) return Nonsense("gtt_total");
  if (!OptionalBytes(body, "gtt_used", device.gtt_used)) return Nonsense("gtt_used");
  if (!body.contains("processes")) return device;
  const json& processes = body["processes"];
  if (!processes.is_array() || processes.size() > kMostProcesses) return Nonsense("processes");
  for (const json& entry : processes) {
    DeviceUse use;
    const auto pid = entry.is_object() ? Integer(entry, "pid", kMostPid) : std::nullopt;
    if (!pid || !OptionalBytes(entry, "used", use.used)) return Nonsense("processes");
    use.pid = static_cast<pid_t>(*pid);
    device.processes.push_back(use);
  }
  return device;
}

json ToJson(const Device& device) {
  json body = {{"pci", device.pci},
               {"kind", Name(device.kind)},
               {"state", Name(device.state)},
               {"can_sleep", device.can_sleep}};
  for (const auto& [key, text] : {std::pair("name", &device.name),
                                  {"uuid", &device.uuid},
                                  {"driver", &device.driver},
                                  {"trouble", &device.trouble}}) {
    if (!text->empty()) body[key] = *text;
  }
  for (const auto& [key, bytes] : {std::pair("total", &device.total),
                                   {"used", &device.used},
                                   {"gtt_total", &device.gtt_total},
                                   {"gtt_used", &device.gtt_used}}) {
    if (*bytes) body[key] = (*bytes)->n;
  }
  json processes = json::array();
  for (const DeviceUse& use : device.processes) {
    processes.push_back({{"pid", use.pid}});
    if (use.used) processes.back()["used"] = use.used->n;
  }
  if (!processes.empty()) body["processes"] = std::move(processes);
  return body;
}

std::string Line(const json& body) {
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string_view Name(DeviceKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}
std::string_view Name(DeviceState state) {
  return kStates[static_cast<std::size_t>(state)];
}

std::string FormatRequest(const Request& request) {
  return Line({{"seq", request.seq}, {"rest", request.rest}, {"ours", request.ours}});
}

std::string FormatAnswer(const Answer& answer) {
  json devices = json::array();
  for (const Device& device : answer.devices) devices.push_back(ToJson(device));
  return Line({{"seq", answer.seq}, {"took_us", answer.took_us}, {"devices", std::move(devices)}});
}

Result<Request> ParseRequest(std::string_view line) {
  TRY_ASSIGN(const json body, ParseObject(line));
  Request request;
  const auto seq = Integer(body, "seq", std::numeric_limits<std::int64_t>::max());
  if (!seq) return Nonsense("seq");
  request.seq = *seq;
  if (body.contains("rest")) {
    if (!body["rest"].is_boolean()) return Nonsense("rest");
    request.rest = body["rest"].get<bool>();
  }
  if (!body.contains("ours")) return request;
  if (!body["ours"].is_array() || body["ours"].size() > kMostProcesses) return Nonsense("ours");
  for (const json& pid : body["ours"]) {
    if (!pid.is_number_unsigned() || pid.get<std::uint64_t>() > std::uint64_t{kMostPid})
      return Nonsense("ours");
    request.ours.push_back(pid.get<pid_t>());
  }
  return request;
}

Result<Answer> ParseAnswer(std::string_view line) {
  TRY_ASSIGN(const json body, ParseObject(line));
  Answer answer;
  const auto seq = Integer(body, "seq", std::numeric_limits<std::int64_t>::max());
  const auto took = Integer(body, "took_us", std::numeric_limits<std::int64_t>::max());
  if (!seq) return Nonsense("seq");
  if (!took) return Nonsense("took_us");
  answer.seq = *seq, answer.took_us = *took;
  if (!body.contains("devices") || !body["devices"].is_array() ||
      body["devices"].size() > kMostDevices)
    return Nonsense("devices");
  for (const json& entry : body["devices"]) {
    TRY_ASSIGN(Device device, ParseDevice(entry));
    answer.devices.push_back(std::move(device));
  }
  return answer;
}

}  // namespace headroom::probe
