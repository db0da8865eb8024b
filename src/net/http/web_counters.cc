#include "net/http/web_server.h"
#include "net/server/prometheus_text.h"

namespace headroom::net {

std::string CountersText(const WebCounters& counters) {
  PrometheusText page("headroom_http");
  page.Counter("connections_total", "Connections accepted.", counters.connections);
  page.Counter("requests_total", "Requests understood.", counters.requests);
  page.Counter("uploads_total", "Recordings given to the service.", counters.uploads);
  page.Counter("upload_bytes_total", "Bytes of them.", counters.upload_bytes);
  page.Counter("realtime_total", "Connections handed to the realtime socket.", counters.realtime);
  page.Counter("vanished_total", "Clients that left before their answer.", counters.vanished);
  page.Counter("slow_readers_total", "Event streams closed because their client did not read.",
               counters.slow_readers);
  page.Counter("events_lost_total", "Events not sent because the server did not keep up.",
               counters.events_lost);
  page.Counter("timed_out_total", "Clients too slow to send or to take.", counters.timed_out);
  page.Counter("evicted_idle_total", "Idle connections closed because there were too many.",
               counters.evicted_idle);
  page.Counter("quiet_total", "Realtime sockets closed because no audio came.", counters.quiet);
  page.Gauge("subscribers", "Followers of /api/events now.", counters.subscribers);
  page.Gauge("open_connections", "Connections now.", counters.open);
  page.Begin("refused_total", "counter", "Requests and connections refused, by reason.");
  const auto refused = [&page](std::string_view reason, std::uint64_t value) {
    page.Value({{"reason", reason}}, value);
  };
  refused("malformed", counters.bad_requests);
  refused("full", counters.refused_full);
  refused("token", counters.refused_token);
  refused("site", counters.refused_site);
  refused("rate", counters.refused_rate);
  refused("busy", counters.refused_busy);
  return std::move(page).text();
}

}  // namespace headroom::net
