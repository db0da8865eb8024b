#include "api/counters.h"

#include <fmt/format.h>

#include "api/web_server.h"
#include "api/wyoming_server.h"

namespace headroom::api {
namespace {

// Adds numbers to the text of one server, whose names begin with `prefix`.
auto AddsTo(std::string& text, std::string_view prefix) {
  return [&text, prefix](std::string_view name, std::string_view type, std::string_view help,
                         std::uint64_t value) {
    AddNumber(text, fmt::format("{}_{}", prefix, name), type, help, value);
  };
}

}  // namespace

void AddNumber(std::string& text, std::string_view name, std::string_view type,
               std::string_view help, std::uint64_t value) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

std::string CountersText(const WebCounters& counters) {
  std::string text;
  const auto add = AddsTo(text, "headroom_http");
  add("connections_total", "counter", "Connections accepted.", counters.connections);
  add("requests_total", "counter", "Requests understood.", counters.requests);
  add("uploads_total", "counter", "Recordings given to the service.", counters.uploads);
  add("upload_bytes_total", "counter", "Bytes of them.", counters.upload_bytes);
  add("realtime_total", "counter", "Connections handed to the realtime socket.", counters.realtime);
  add("vanished_total", "counter", "Clients that left before their answer.", counters.vanished);
  add("slow_readers_total", "counter", "Event streams closed because nobody read.",
      counters.slow_readers);
  add("events_lost_total", "counter", "Events not sent because the server did not keep up.",
      counters.events_lost);
  add("timed_out_total", "counter", "Clients too slow to send or to take.", counters.timed_out);
  add("evicted_idle_total", "counter", "Idle connections closed because there were too many.",
      counters.evicted_idle);
  add("quiet_total", "counter", "Realtime sockets closed because no audio came.", counters.quiet);
  add("subscribers", "gauge", "Followers of /api/events now.", counters.subscribers);
  add("open_connections", "gauge", "Connections now.", counters.open);
  text +=
      "# HELP headroom_http_refused_total Requests and connections refused, by reason.\n"
      "# TYPE headroom_http_refused_total counter\n";
  const auto refused = [&](std::string_view reason, std::uint64_t value) {
    text += fmt::format("headroom_http_refused_total{{reason=\"{}\"}} {}\n", reason, value);
  };
  refused("malformed", counters.bad_requests);
  refused("full", counters.refused_full);
  refused("token", counters.refused_token);
  refused("site", counters.refused_site);
  refused("rate", counters.refused_rate);
  refused("busy", counters.refused_busy);
  return text;
}

std::string CountersText(const WyomingCounters& counters) {
  std::string text;
  const auto add = AddsTo(text, "headroom_wyoming");
  add("connections_total", "counter", "Connections accepted.", counters.connections);
  add("transcripts_total", "counter", "Transcripts sent.", counters.transcripts);
  add("vanished_total", "counter", "Clients that left before their transcript.", counters.vanished);
  add("failed_total", "counter", "Connections closed because the service failed.", counters.failed);
  add("bad_events_total", "counter", "Connections closed for what they sent.", counters.bad_events);
  add("timed_out_total", "counter", "Connections closed for waiting too long.", counters.timed_out);
  add("slow_readers_total", "counter", "Connections closed because nobody read.",
      counters.slow_readers);
  add("evicted_idle_total", "counter", "Idle connections closed because there were too many.",
      counters.evicted_idle);
  add("waits_total", "counter", "Pieces of audio that the service did not take at once.",
      counters.waits);
  add("open_connections", "gauge", "Connections now.", counters.open);
  text += fmt::format(
      "# HELP headroom_wyoming_refused_total Connections refused, by reason.\n"
      "# TYPE headroom_wyoming_refused_total counter\n"
      "headroom_wyoming_refused_total{{reason=\"address\"}} {}\n"
      "headroom_wyoming_refused_total{{reason=\"full\"}} {}\n",
      counters.refused_peers, counters.refused_full);
  return text;
}

}  // namespace headroom::api
