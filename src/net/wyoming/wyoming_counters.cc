#include "net/server/prometheus_text.h"
#include "net/wyoming/wyoming_server.h"

namespace headroom::net {

std::string CountersText(const WyomingCounters& counters) {
  PrometheusText page("headroom_wyoming");
  page.Counter("connections_total", "Connections accepted.", counters.connections);
  page.Counter("transcripts_total", "Transcripts sent.", counters.transcripts);
  page.Counter("vanished_total", "Clients that left before their transcript.", counters.vanished);
  page.Counter("failed_total", "Connections closed because the service failed.", counters.failed);
  page.Counter("bad_events_total", "Connections closed for what they sent.", counters.bad_events);
  page.Counter("timed_out_total", "Connections closed for waiting too long.", counters.timed_out);
  page.Counter("slow_readers_total", "Connections closed because their client did not read.",
               counters.slow_readers);
  page.Counter("evicted_idle_total", "Idle connections closed because there were too many.",
               counters.evicted_idle);
  page.Counter("waits_total", "Pieces of audio that the service did not take at once.",
               counters.waits);
  page.Gauge("open_connections", "Connections now.", counters.open);
  page.Begin("refused_total", "counter", "Connections refused, by reason.");
  page.Value({{"reason", "address"}}, counters.refused_peers);
  page.Value({{"reason", "full"}}, counters.refused_full);
  return std::move(page).text();
}

}  // namespace headroom::net
