// Any request to the control socket, and any answer of one: the first line is the method and the
// target, the rest is the body. Both sides take it, and an event stream is cut the same however its
// bytes come.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/control/client.h"
#include "net/control/route.h"
#include "net/testing/fake_service.h"

namespace {

using namespace headroom::net;

std::vector<std::string> Events(std::string_view first, std::string_view second) {
  EventParser parser;
  std::vector<std::string> events;
  const auto keep = [&](const EventParser::Event& event) {
    events.push_back(event.name + "\n" + event.data);
  };
  if (parser.Feed(first, keep)) static_cast<void>(parser.Feed(second, keep).has_value());
  return events;
}

void Take(std::string_view method, std::string_view target, std::string_view body) {
  const auto route = FindRoute(method, target, body);
  if (const auto* refusal = std::get_if<Refusal>(&route)) {
    if (refusal->status < 400 || refusal->status > 599) __builtin_trap();
    if (Dump(ErrorJson(refusal->error)).find('\n') != std::string::npos) __builtin_trap();
  }
  if (const auto* call = std::get_if<Call>(&route)) {
    FakeService service;
    int answers = 0;
    (*call)(service, Answer([&](headroom::Result<nlohmann::json> answer) {
              ++answers;
              const std::string text = Dump(answer ? *answer : ErrorJson(answer.error()));
              if (text.find('\n') != std::string::npos) __builtin_trap();
            }));
    if (answers != 1 || service.asked().size() != 1) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view body = line.size() < text.size() ? text.substr(line.size() + 1) : "";
  const std::string_view method = line.substr(0, line.find(' '));
  Take(method, method.size() < line.size() ? line.substr(method.size() + 1) : "", body);

  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_discarded()) {
    static_cast<void>(ErrorFromJson(json));
    if (const auto entry = ParseHistoryEntry(json)) static_cast<void>(Dump(ToJson(*entry)));
    if (const auto status = ParseStatus(json)) {
      // What we understood of it is what another one understands of ours.
      const auto ours = ToJson(*status);
      const auto again = ParseStatus(nlohmann::json::parse(Dump(ours), nullptr, false));
      if (!again || Dump(ToJson(*again)) != Dump(ours)) __builtin_trap();
    }
  }
  if (Events(text, "") != Events(text.substr(0, size / 2), text.substr(size / 2))) __builtin_trap();
  return 0;
}
