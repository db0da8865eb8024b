#include <fmt/format.h>

#include "net/http/web_server.h"
#include "net/server/counters.h"

namespace headroom::net {

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

}  // namespace headroom::net
