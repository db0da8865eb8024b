#include "observe/probe/show.h"

#include <nlohmann/json.hpp>

namespace headroom::probe {
namespace {

using nlohmann::json;

json Maybe(const std::optional<Bytes>& bytes) {
  return bytes ? json(bytes->n) : json();
}

json ToObject(const Pressure& pressure) {
  const auto stall = [](const Stall& s) {
    return json{{"avg10", s.avg10},
                {"avg60", s.avg60},
                {"avg300", s.avg300},
                {"total_us", s.total.count()}};
  };
  return {{"some", stall(pressure.some)}, {"full", stall(pressure.full)}};
}

json ToObject(const CgroupMemory& c) {
  json object = {{"path", c.path},
                 {"current", c.current.n},
                 {"high", Maybe(c.high)},
                 {"max", Maybe(c.max)},
                 {"effective_high", Maybe(c.effective_high)},
                 {"effective_max", Maybe(c.effective_max)},
                 {"room", Maybe(c.room)},
                 {"swap_current", Maybe(c.swap_current)},
                 {"swap_max", Maybe(c.swap_max)}};
  if (c.events)
    object["events"] = {{"low", c.events->low},
                        {"high", c.events->high},
                        {"max", c.events->max},
                        {"oom", c.events->oom},
                        {"oom_kill", c.events->oom_kill}};
  if (c.pressure) object["pressure"] = ToObject(*c.pressure);
  return object;
}

json ToObject(const DeviceSample& sample) {
  const Device& d = sample.device;
  json object = {{"pci", d.pci},
                 {"name", d.name},
                 {"uuid", d.uuid},
                 {"driver", d.driver},
                 {"kind", Name(d.kind)},
                 {"state", Name(d.state)},
                 {"can_sleep", d.can_sleep},
                 {"total", Maybe(d.total)},
                 {"used", Maybe(d.used)},
                 {"own", Maybe(sample.own)},
                 {"others", Maybe(sample.others)},
                 {"gtt_total", Maybe(d.gtt_total)},
                 {"gtt_used", Maybe(d.gtt_used)},
                 {"trouble", d.trouble}};
  object["processes"] = json::array();
  for (const DeviceUse& use : d.processes)
    object["processes"].push_back({{"pid", use.pid}, {"used", Maybe(use.used)}});
  return object;
}

json ToObject(const ProcessMemory& p) {
  json object = {{"pid", p.pid},
                 {"rss", p.status.rss.n},
                 {"anon", p.status.anon.n},
                 {"shmem", p.status.shmem.n},
                 {"swap", p.status.swap.n},
                 {"counted", p.status.counted().n}};
  if (p.rollup) object["pss"] = p.rollup->pss.n;
  return object;
}

std::string Limit(const std::optional<Bytes>& bytes) {
  return bytes ? FormatBinary(*bytes) : "none";
}

std::string Row(std::string_view what, std::string_view value) {
  return fmt::format("{:<10} {}\n", what, value);
}

std::string Row(const DeviceSample& sample) {
  const Device& d = sample.device;
  std::string text = fmt::format("{} ({}, {})", d.name, d.pci, Name(d.kind));
  if (d.state != DeviceState::kActive) {
    text += fmt::format(": {}", Name(d.state));
    if (!d.trouble.empty()) text += ": " + d.trouble;
  } else if (d.total && d.used) {
    text += fmt::format(": {} of {} used ({:.0f} %)", FormatBinary(*d.used), FormatBinary(*d.total),
                        100.0 * static_cast<double>(d.used->n) / static_cast<double>(d.total->n));
    if (sample.own && sample.others)
      text += fmt::format(", ours {}, others {}", FormatBinary(*sample.own),
                          FormatBinary(*sample.others));
  }
  return Row("card", text);
}

std::string Text(const Pressure& p) {
  return fmt::format("some {:.2f} %, full {:.2f} % of the last 10 s", p.some.avg10, p.full.avg10);
}

}  // namespace

std::string ToText(const Sample& sample) {
  std::string text;
  for (const DeviceSample& device : sample.devices) text += Row(device);
  if (sample.devices.empty() && sample.probe == ProbeState::kFresh)
    text += Row("card", "none found");
  if (sample.probe != ProbeState::kFresh)
    text += Row("probe", fmt::format("{}: {}", Name(sample.probe), sample.probe_trouble));
  if (const auto& host = sample.host) {
    text += Row("memory", fmt::format("{} of {} available", FormatBinary(host->available),
                                      FormatBinary(host->total)));
    if (host->swap && host->swap->total.n > 0)
      text += Row("swap", fmt::format("{} of {} used", FormatBinary(host->swap->used()),
                                      FormatBinary(host->swap->total)));
    else
      text += Row("swap", "none");
  } else {
    text += Row("memory", "/proc/meminfo cannot be read");
  }
  text += Row("pressure",
              sample.host_pressure ? Text(*sample.host_pressure) : "not available on this kernel");
  if (const auto& c = sample.cgroup) {
    text +=
        Row("cgroup", fmt::format("{}: {} used, high {}, max {}", c->path, FormatBinary(c->current),
                                  Limit(c->effective_high), Limit(c->effective_max)));
    if (c->room) text += Row("", fmt::format("{} left under its limits", FormatBinary(*c->room)));
    if (c->pressure) text += Row("", "pressure " + Text(*c->pressure));
  } else {
    text += Row("cgroup", "no cgroup v2 memory controller for this process");
  }
  for (const ProcessMemory& p : sample.processes) {
    std::string row = fmt::format("{}: {} (anon {}, shmem {}, swap {}), RSS {}", p.pid,
                                  FormatBinary(p.status.counted()), FormatBinary(p.status.anon),
                                  FormatBinary(p.status.shmem), FormatBinary(p.status.swap),
                                  FormatBinary(p.status.rss));
    if (p.rollup) row += fmt::format(", PSS {}", FormatBinary(p.rollup->pss));
    text += Row("process", row);
  }
  return text;
}

std::string ToJson(const Sample& sample) {
  json object = {
      {"wall_ms", std::chrono::duration_cast<Milliseconds>(sample.wall.time_since_epoch()).count()},
      {"late_ms", sample.late.count()},
      {"took_ms", sample.took.count()},
      {"probe", Name(sample.probe)},
      {"probe_waiting_ms", sample.probe_waiting.count()},
      {"probe_trouble", sample.probe_trouble},
      {"service_ram", sample.service_ram.n},
      {"service_swap", sample.service_swap.n}};
  object["devices"] = json::array();
  for (const DeviceSample& device : sample.devices) object["devices"].push_back(ToObject(device));
  object["processes"] = json::array();
  for (const ProcessMemory& process : sample.processes)
    object["processes"].push_back(ToObject(process));
  if (sample.devices_age) object["devices_age_ms"] = sample.devices_age->count();
  if (const auto& host = sample.host) {
    object["host"] = {
        {"total", host->total.n}, {"available", host->available.n}, {"free", host->free.n}};
    if (host->swap)
      object["host"]["swap"] = {{"total", host->swap->total.n}, {"used", host->swap->used().n}};
  }
  if (sample.host_pressure) object["pressure"] = ToObject(*sample.host_pressure);
  if (sample.cgroup) object["cgroup"] = ToObject(*sample.cgroup);
  return object.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace headroom::probe
