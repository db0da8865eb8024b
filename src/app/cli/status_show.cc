#include "app/cli/status_show.h"

#include <nlohmann/json.hpp>

#include "base/duration.h"
#include "base/text.h"

namespace headroom::cli {
namespace {

using net::Phase;

std::string Memory(const net::MemoryUse& memory) {
  std::string text = memory.zone;
  if (!memory.why.empty()) text += fmt::format(" ({})", memory.why);
  if (memory.ram) text += fmt::format(", RAM {}", FormatBinary(*memory.ram));
  if (memory.swap && memory.swap->n > 0)
    text += fmt::format(", swap {}", FormatBinary(*memory.swap));
  if (memory.vram_total && memory.vram_used)
    text += fmt::format(", GPU {} of {}", FormatBinary(*memory.vram_used),
                        FormatBinary(*memory.vram_total));
  if (memory.vram_ours && memory.vram_ours->n > 0)
    text += fmt::format(", {} of it ours", FormatBinary(*memory.vram_ours));
  return text;
}

std::string Tier(const net::Status& status) {
  if (!status.tier.empty()) return status.tier;
  return status.yields > 0 ? "none, the GPU is yielded to another program" : "none loaded";
}

std::string Texts(const net::Status& status) {
  std::string text = fmt::format("{} delivered", status.delivered);
  if (status.undelivered > 0) text += fmt::format(", {} only in the history", status.undelivered);
  if (status.waiting > 0) text += fmt::format(", {} pending", status.waiting);
  if (status.latency) text += fmt::format(", latency {}", FormatDuration(*status.latency));
  return text;
}

}  // namespace

std::string StatusText(const net::Status& status) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("{:<12}{}\n", name, Printable(value));
  };
  line("state", fmt::format("{} ({})", Name(status.phase), status.mode));
  std::string microphone = status.microphone.state;
  if (!status.microphone.device.empty()) microphone += ", " + status.microphone.device;
  if (!status.microphone.trouble.empty()) microphone += ": " + status.microphone.trouble;
  line("microphone", microphone);
  line("model", Tier(status));
  line("memory", Memory(status.memory));
  line("texts", Texts(status));
  if (status.clients > 0 || status.draining)
    line("programs",
         fmt::format("{} connected{}", status.clients,
                     status.draining ? ", draining (headroom drain --off ends it)" : ""));
  if (status.spool_free)
    line("room for", fmt::format("{} min of speech", status.spool_free->count() / 60'000));
  line("daemon", fmt::format("{}, pid {}, up {} min", status.version, status.pid,
                             status.uptime.count() / 60'000));
  for (const std::string& warning : status.troubles) line("warning", warning);
  return text;
}

std::string StatusLine(const net::Status& status) {
  std::string line = fmt::format("{:<9}  {}", Name(status.phase), Tier(status));
  if (status.memory.ram) line += "  RAM " + FormatBinary(*status.memory.ram);
  if (status.memory.zone != "safe") line += fmt::format("  memory {}", status.memory.zone);
  if (status.waiting > 0) line += fmt::format("  {} pending", status.waiting);
  if (!status.microphone.trouble.empty()) line += "  microphone: " + status.microphone.trouble;
  if (!status.partial.empty()) line += "  " + status.partial;
  line = Printable(line);
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line;
}

std::string WaybarLine(const net::Status* status) {
  nlohmann::json line;
  if (!status) {
    line = {{"text", ""}, {"alt", "off"}, {"class", "off"}, {"tooltip", "headroom is not running"}};
  } else {
    const bool on = status->phase != Phase::kIdle;
    std::string tooltip = StatusText(*status);
    tooltip.pop_back();
    std::vector<std::string> classes = {std::string(Name(status->phase))};
    if (status->memory.zone != "safe") classes.push_back("memory-" + status->memory.zone);
    if (!status->troubles.empty() || !status->microphone.trouble.empty())
      classes.emplace_back("trouble");
    line = {{"text", on ? Name(status->phase) : ""},
            {"alt", Name(status->phase)},
            {"class", classes},
            {"tooltip", tooltip}};
  }
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace headroom::cli
