#include <fmt/format.h>

#include "net/server/counters.h"
#include "net/wyoming/wyoming_server.h"

namespace headroom::net {

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

}  // namespace headroom::net
