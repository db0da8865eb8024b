// The HTTP server with its page over a service that says what it is told, for page_test.py. Its
// port is the first line. Standard input: "say TEXT", of the last stream; "samples", how many it
// was sent; "publish NAME JSON", an event; "asked", what the service was asked to do.
#include <iostream>
#include <nlohmann/json.hpp>

#include "net/control/event.h"
#include "net/http/web_server.h"
#include "net/server/tokens.h"
#include "net/testing/fake_service.h"
#include "net/testing/fake_speech.h"

namespace {

using namespace headroom::net;

// A machine with a card of 8 GiB.
class Machine : public FakeSpeech {
 public:
  std::optional<std::string> Inspect(const std::string& name) const override {
    if (name == "status")
      return R"({"version": "1.2.3", "phase": "idle", "tier": "whisper-base:Q8_0 on cpu", "waiting": 0,
                 "microphone": {"device": "USB <b>Microphone</b>", "state": "closed"},
                 "memory": {"zone": "warning", "vram_total_bytes": 8589934592, "vram_used_bytes": 3221225472,
                            "vram_ours_bytes": 1073741824},
                 "troubles": ["the disk is nearly full"]})";
    if (name == "plan")
      return R"({"rules": {"safe": 70, "marginal": 80, "peak": 85}, "tiers": [
        {"tier": "whisper-large:Q5_0 on card", "on_card": true, "resident_bytes": 2147483648,
         "chunks": [{"chunk_ms": 10000, "peak_bytes": 2684354560}, {"chunk_ms": 28000, "peak_bytes": 3221225472}]},
        {"tier": "whisper-base:Q8_0 on cpu", "on_card": false, "resident_bytes": 104857600, "chunks": []}]})";
    return FakeSpeech::Inspect(name);
  }
  std::string Metrics() const override {
    return "headroom_zone{gauge=\"RAM\"} 0\nheadroom_zone{gauge=\"VRAM\"} 1\n"
           "headroom_zone_border_bytes{gauge=\"VRAM\",zone=\"warning\"} 6012954214\n"
           "headroom_zone_border_bytes{gauge=\"VRAM\",zone=\"danger\"} 7301444403\n"
           "headroom_zone_border_bytes{gauge=\"VRAM\",zone=\"critical\"} 8160437862\n"
           "headroom_zone_border_bytes{gauge=\"RAM\",zone=\"warning\"} 2000000000\n"
           "headroom_memory_bytes{kind=\"ram\",owner=\"headroom\"} 262144000\n"
           "headroom_memory_bytes{kind=\"ram\",owner=\"free\"} 8589934592\n"
           "headroom_memory_bytes{kind=\"vram\",owner=\"headroom\"} 1073741824\n"
           "headroom_memory_bytes{kind=\"vram\",owner=\"others\"} 2147483648\n"
           "headroom_memory_bytes{kind=\"vram\",owner=\"free\"} 5368709120\n"
           "headroom_utterances_total{source=\"dictation\",outcome=\"text\"} 7\n"
           "headroom_latency_seconds_bucket{source=\"stream\",le=\"0.2\"} 6\n"
           "headroom_latency_seconds_bucket{source=\"stream\",le=\"0.5\"} 9\n"
           "headroom_latency_seconds_bucket{source=\"stream\",le=\"+Inf\"} 10\n";
  }
};

StreamEvent OfStream(StreamEvent::Kind kind, std::uint64_t item, std::string text = "") {
  StreamEvent event;
  event.kind = kind;
  event.item = item;
  event.text = std::move(text);
  return event;
}

// An event of the service, from what the test wants to see of it.
std::optional<Event> EventOf(const std::string& name, const nlohmann::json& data) {
  namespace memory = headroom::memory;
  using headroom::Milliseconds;
  if (name == "zone") {
    const auto zone = [&](const char* key) {
      return memory::ZoneFromName(data.at(key).get<std::string>()).value_or(memory::Zone::kSafe);
    };
    return ZoneChanged{.gauge = memory::Gauge::kRam,
                       .from = zone("from"),
                       .to = zone("to"),
                       .reason = data.at("reason")};
  }
  if (name == "action") {
    memory::Action action;
    action.kind = data.at("verb") == "tell" ? memory::ActionKind::kNotify
                                            : memory::ActionKind::kStopSpeculation;
    action.reason = data.at("reason");
    return ActionTaken{std::move(action)};
  }
  if (name == "text")
    return TextDelivered{.utterance = data.at("utterance"),
                         .text = data.at("text"),
                         .tier = data.at("tier"),
                         .audio = Milliseconds(data.at("audio_ms")),
                         .latency = Milliseconds(data.at("latency_ms"))};
  if (name == "served") return Served{.source = data.at("source"), .outcome = data.at("outcome")};
  if (name == "status") {
    auto status = ParseStatus(data);
    if (status) return StatusChanged{std::move(*status)};
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  Machine speech;
  FakeService control;
  WebOptions options;
  options.listen = "127.0.0.1:0";
  options.spool = argv[1];
  options.tokens = std::string(argv[1]) + "/tokens";
  std::string token;
  if (argc > 2)
    token = AddToken(options.tokens, argv[2], headroom::SystemClock().WallNow()).value_or("");
  const auto server = WebServer::Start(options, speech, &control);
  if (!server) {
    std::cerr << server.error().what << "\n";
    return 1;
  }
  std::cout << (*server)->port() << " " << token << std::endl;
  std::uint64_t item = 0;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string session = "session1";
    if (line == "samples") {
      std::cout << speech.Log(session).samples.size() << std::endl;
    } else if (line == "asked") {
      for (const std::string& what : control.asked()) std::cout << what << "|";
      std::cout << std::endl;
    } else if (line.starts_with("publish ")) {
      const std::size_t space = line.find(' ', 8);
      const auto event =
          EventOf(line.substr(8, space - 8), nlohmann::json::parse(line.substr(space + 1)));
      if (!event) return 3;
      (*server)->Publish(*event);
    } else if (line.starts_with("say ")) {
      using Kind = StreamEvent::Kind;
      const std::string text = line.substr(4);
      ++item;
      speech.Push(session, OfStream(Kind::kStarted, item));
      speech.Push(session, OfStream(Kind::kPartial, item, text.substr(0, text.find(' '))));
      speech.Push(session, OfStream(Kind::kStopped, item));
      speech.Push(session, OfStream(Kind::kCommitted, item));
      speech.Push(session, OfStream(Kind::kText, item, text));
    }
  }
}
