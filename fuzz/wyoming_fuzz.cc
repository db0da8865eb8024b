// Any bytes as a Wyoming connection: read the same however they are cut, and whatever they ask for,
// the session stays within its rules.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/wyoming/wyoming.h"

namespace {

using namespace headroom::net;

void Expect(bool holds) {
  if (!holds) __builtin_trap();
}

// What the service would answer in between: a text for every third piece of audio.
struct Service {
  WyomingSession session;
  bool open = false;
  std::uint64_t pieces = 0, items = 0;

  std::string Do(WyomingStep step) {
    if (step.drop) open = false;
    if (step.open) {
      Expect(!open);
      open = true;
    }
    Expect(open || (step.audio.empty() && !step.finish));
    for (const float sample : step.audio) Expect(sample >= -2 && sample <= 2);
    std::string said = std::to_string(step.audio.size());
    for (const WyomingEvent& event : step.send) said += WyomingText(event);
    if (!step.audio.empty() && ++pieces % 3 == 0) said += Say(StreamEvent::Kind::kText);
    if (!step.audio.empty() && pieces % 3 == 1) said += Say(StreamEvent::Kind::kPartial);
    if (step.finish) {
      Expect(session.waiting());
      said += Do(session.OnIdle());
      Expect(!session.waiting());
    }
    return step.close ? said + "closed" : said;
  }
  std::string Say(StreamEvent::Kind kind) {
    StreamEvent event;
    event.kind = kind;
    event.item = items + 1;
    event.text = kind == StreamEvent::Kind::kText ? "So it is." : "So it";
    if (kind == StreamEvent::Kind::kText) ++items;
    return Do(session.OnSpeech(event));
  }
};

std::string Run(std::string_view bytes, std::size_t piece) {
  WyomingParser parser(
      {.header = headroom::KiB(1), .data = headroom::KiB(1), .payload = headroom::KiB(1)});
  Service service;
  std::string said;
  while (!bytes.empty()) {
    parser.Feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      const auto event = parser.Next();
      if (!event) return said + event.error().what;
      if (!*event) break;
      const std::string step = service.Do(service.session.OnEvent(**event));
      said += step;
      if (step.ends_with("closed")) return said;
    }
    Expect(parser.held() <= 3 * 1024 + 2 + piece);
  }
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Expect(Run(bytes, size + 1) == Run(bytes, size / 3 + 1));
  return 0;
}
