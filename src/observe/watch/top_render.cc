#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "observe/watch/top.h"

namespace headroom::watch {
namespace {

using memory::Zone;
using nlohmann::json;

constexpr std::array<std::string_view, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

// Cut or filled up to so many columns; our texts have no wide characters.
std::string Fit(std::string_view text, std::size_t columns) {
  std::size_t end = 0, n = 0;
  while (end < text.size() && n < columns) {
    do ++end;
    while (end < text.size() && (text[end] & 0xC0) == 0x80);
    ++n;
  }
  return std::string(text.substr(0, end)) + std::string(columns - n, ' ');
}

std::string_view Colour(std::optional<Zone> zone) {
  if (!zone) return "";
  switch (*zone) {
    case Zone::kSafe:
      return "\033[32m";
    case Zone::kWarning:
      return "\033[33m";
    case Zone::kDanger:
      return "\033[31m";
    case Zone::kCritical:
      return "\033[1;37;41m";
  }
  return "";
}

std::string TimeText(WallTime wall) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(wall);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

std::string LeftText(Milliseconds left) {
  const auto seconds = left.count() / 1000;
  if (seconds < 1) return "now";
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} h", seconds / 3600);
}

std::string Size(std::optional<double> bytes) {
  return bytes ? FormatBinary(Bytes(static_cast<std::int64_t>(*bytes))) : "-";
}
std::string Size(std::optional<Bytes> bytes) {
  return bytes ? FormatBinary(*bytes) : "-";
}

std::string Bar(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(
      std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(width)));
  std::string bar;
  for (std::size_t i = 0; i < width; ++i) bar += i < full ? "█" : "░";
  return bar;
}

std::string EventText(const record::Event& event) {
  std::string text(Name(event.kind));
  for (const record::Attribute& attribute : event.attributes)
    std::visit(
        [&](const auto& value) { text += fmt::format(" {}={}", Name(attribute.key), value); },
        attribute.value);
  return text;
}

json Maybe(const auto& value) {
  return value ? json(*value) : json();
}
json MaybeBytes(const std::optional<Bytes>& bytes) {
  return bytes ? json(bytes->n) : json();
}

}  // namespace

std::string Sparkline(std::span<const double> values, std::size_t width, double least_span) {
  if (values.empty() || width == 0) return std::string(width, ' ');
  // Each column is the largest of its points, so that a peak is seen however narrow the screen is.
  std::vector<double> columns;
  const std::size_t n = std::min(width, values.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t from = i * values.size() / n, to = (i + 1) * values.size() / n;
    columns.push_back(
        *std::ranges::max_element(values.subspan(from, std::max<std::size_t>(1, to - from))));
  }
  double low = *std::ranges::min_element(columns), high = *std::ranges::max_element(columns);
  if (high - low < least_span) high = low + least_span;
  std::string line(width - n, ' ');
  for (const double value : columns) {
    const double share = high > low ? (value - low) / (high - low) : 0;
    line += kBlocks[static_cast<std::size_t>(std::clamp(share * 8, 0.0, 7.0))];
  }
  return line;
}

std::vector<std::string> Render(const TopState& state, int width, int height, bool colour) {
  const auto columns = static_cast<std::size_t>(std::max(width, 20));
  std::vector<std::string> lines;
  const auto add = [&](std::string_view text) { lines.push_back(Fit(text, columns)); };
  const auto paint = [&](std::string_view with, std::string text) {
    return colour && !with.empty() ? fmt::format("{}{}\033[0m", with, text) : text;
  };
  const auto heading = [&](std::string_view text) {
    lines.push_back(paint("\033[1m", Fit(text, columns)));
  };

  const std::string clock = state.at.wall == WallTime() ? "" : TimeText(state.at.wall);
  const std::size_t room = columns > clock.size() + 1 ? columns - clock.size() - 1 : 0;
  heading(Fit("headroom top  " + state.title, room) + " " + clock);
  if (state.gauges.empty()) add("waiting for the first sample");
  for (const GaugeLine& gauge : state.gauges) {
    const bool percent = gauge.what == "PSI";
    const double share =
        gauge.used && gauge.limit && *gauge.limit > 0 ? *gauge.used / *gauge.limit : 0;
    std::string numbers = percent ? fmt::format("{:.1f} % of the last 10 s", gauge.used.value_or(0))
                          : !gauge.used ? "unknown"
                                        : fmt::format("{} of {} {:5.1f} %", Size(gauge.used),
                                                      Size(gauge.limit), 100 * share);
    if (gauge.zone) numbers += fmt::format("  {}", Name(*gauge.zone));
    if (gauge.to_limit) numbers += fmt::format("  limit in {}", LeftText(*gauge.to_limit));
    if (!gauge.note.empty()) numbers += fmt::format("  ({})", gauge.note);
    const std::size_t bar = std::clamp<std::size_t>(columns / 5, 8, 30);
    std::string line = Fit(gauge.what, 5) + paint(Colour(gauge.zone), Bar(share, bar)) + " ";
    const std::size_t used = 6 + bar;
    line += Fit(numbers, columns > used ? columns - used : 0);
    lines.push_back(std::move(line));
    const std::size_t history = columns > 46 ? columns - 46 : 0;
    std::string below = "     " + Fit(gauge.own ? fmt::format("{}  ours {}  others {}", gauge.name,
                                                              Size(gauge.own), Size(gauge.others))
                                                : gauge.name,
                                      columns > 51 ? 40 : columns - 6);
    if (history > 5 && !gauge.history.empty())
      below += " " + paint("\033[36m", Sparkline(gauge.history, history,
                                                 percent ? 5 : 0.005 * gauge.limit.value_or(0)));
    if (gauge.what == "VRAM" || (height > 24 && gauge.history.size() > 1))
      lines.push_back(std::move(below));
  }
  if (!state.tier.empty()) add("tier " + state.tier);

  const auto left = [&] {
    return static_cast<std::size_t>(std::max(0, height)) -
           std::min(lines.size(), static_cast<std::size_t>(std::max(0, height)));
  };
  const std::size_t for_events =
      state.events.empty() ? 0 : std::min<std::size_t>(state.events.size() + 1, 6);
  if (!state.processes.empty() && left() > for_events + 2) {
    heading(fmt::format("{:>8} {:<16} {:>11} {:>11} {:>11} {:>11}", "PID", "PROCESS", "RAM", "RSS",
                        "SWAP", "GPUS"));
    for (const record::ProcessSample& process : state.processes) {
      if (left() <= for_events) break;
      add(fmt::format("{:>8} {} {:>11} {:>11} {:>11} {:>11}", process.pid,
                      Fit(Printable(process.role), 16), Size(process.counted), Size(process.rss),
                      Size(process.swap), Size(process.gpu)));
    }
  }
  bool others = false;
  for (const Owner& owner : state.owners) {
    if (owner.ours || left() <= for_events + 1) continue;
    if (!std::exchange(others, true)) heading("OTHERS ON THE GPUS");
    add(fmt::format("{:>8} {} {:>11}  {}", owner.pid, Fit(Printable(owner.name), 16),
                    Size(owner.used), owner.gpu));
  }
  if (for_events > 0 && left() >= 2) {
    heading("EVENTS");
    const std::size_t shown = std::min(state.events.size(), left());
    for (std::size_t i = state.events.size() - shown; i < state.events.size(); ++i)
      add(fmt::format("{} {}", TimeText(state.events[i].at.wall),
                      Printable(EventText(state.events[i]))));
  }
  if (height > 0 && lines.size() > static_cast<std::size_t>(height))
    lines.resize(static_cast<std::size_t>(height));
  return lines;
}

std::string ToJson(const TopState& state) {
  json object = {
      {"title", state.title},
      {"wall_ms",
       std::chrono::duration_cast<Milliseconds>(state.at.wall.time_since_epoch()).count()},
      {"tier", state.tier},
      {"gauges", json::array()},
      {"processes", json::array()},
      {"owners", json::array()},
      {"events", json::array()}};
  for (const GaugeLine& gauge : state.gauges) {
    json line = {{"what", gauge.what},
                 {"name", gauge.name},
                 {"used", Maybe(gauge.used)},
                 {"limit", Maybe(gauge.limit)},
                 {"own", Maybe(gauge.own)},
                 {"others", Maybe(gauge.others)},
                 {"zone", gauge.zone ? json(Name(*gauge.zone)) : json()},
                 {"note", gauge.note}};
    line["to_limit_ms"] = gauge.to_limit ? json(gauge.to_limit->count()) : json();
    object["gauges"].push_back(std::move(line));
  }
  for (const record::ProcessSample& process : state.processes)
    object["processes"].push_back({{"pid", process.pid},
                                   {"role", process.role},
                                   {"rss", MaybeBytes(process.rss)},
                                   {"counted", MaybeBytes(process.counted)},
                                   {"pss", MaybeBytes(process.pss)},
                                   {"swap", MaybeBytes(process.swap)},
                                   {"card", MaybeBytes(process.gpu)}});
  for (const Owner& owner : state.owners)
    object["owners"].push_back({{"card", owner.gpu},
                                {"pid", owner.pid},
                                {"name", owner.name},
                                {"used", MaybeBytes(owner.used)},
                                {"ours", owner.ours}});
  for (const record::Event& event : state.events) {
    json one = {
        {"kind", Name(event.kind)},
        {"wall_ms",
         std::chrono::duration_cast<Milliseconds>(event.at.wall.time_since_epoch()).count()}};
    const std::string attributes = AttributesToJson(event);
    if (!attributes.empty()) one["attributes"] = json::parse(attributes);
    object["events"].push_back(std::move(one));
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace headroom::watch
