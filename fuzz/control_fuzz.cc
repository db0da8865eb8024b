// Any request to the control socket, and any answer of one: the first line is the method and the
// target, the rest is the body. Both sides take it, and an event stream is cut the same however its
// bytes come.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/control/client.h"
#include "net/control/control_routes.h"
#include "net/control/json_text.h"
#include "net/testing/fake_exchange.h"
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

void Take(const std::string& method, const std::string& target, const std::string& body) {
  FakeService service;
  std::atomic<std::size_t> followers{0};
  std::atomic<std::uint64_t> events{1};
  ControlBackend backend{.service = service,
                         .fail =
                             [](const headroom::Error& error, unsigned status) {
                               if (status < 400 || status > 599) __builtin_trap();
                               return HttpAnswer{.status = status, .body = Dump(ErrorJson(error))};
                             },
                         .followers = followers,
                         .next_event = events};
  const RouteTable table(RoutesOn(ControlRoutes(backend), true));
  const auto found = table.Find(method, target);
  const auto* match = std::get_if<RouteTable::Match>(&found);
  if (!match) return;
  FakeExchange exchange(method, target, body);
  match->route->handler(exchange);
  if (exchange.answers > 1 || (exchange.answers == 0 && !exchange.streaming())) __builtin_trap();
  if (service.asked().size() > 2) __builtin_trap();
  const std::string& text = exchange.answer.body;
  if (text.find('\n') < text.size() - 1 && !text.empty()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view body = line.size() < text.size() ? text.substr(line.size() + 1) : "";
  const std::string_view method = line.substr(0, line.find(' '));
  Take(std::string(method),
       std::string(method.size() < line.size() ? line.substr(method.size() + 1) : ""),
       std::string(body));

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
