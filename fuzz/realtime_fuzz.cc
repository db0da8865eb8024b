// Any client and any service, in any order: a line is a client's event, or by its first character
// b: raw audio, e: an event of the stream (two digits for kind and item, then a text), r: whether
// the service takes audio, d: what was delivered, q: a query to connect with.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "net/realtime/realtime.h"

namespace {

using namespace headroom::net;
using headroom::Errc;
using headroom::Fail;
using headroom::Result;
using Kind = StreamEvent::Kind;

struct Service {
  bool busy = false;
  std::size_t waiting = 0;
};

class Stream : public SpeechStream {
 public:
  explicit Stream(Service& service) : service_(service) {}
  const std::string& session() const override { return session_; }
  Result<> Append(std::span<const float> samples) override {
    if (service_.busy) return Fail(Errc::kBusy, "busy");
    if (samples.empty() || samples.size() > 160'000) __builtin_trap();
    for (const float sample : samples) {
      if (!(sample > -1.5F && sample < 1.5F)) __builtin_trap();
    }
    service_.waiting += samples.size();
    return {};
  }
  Result<> Commit() override {
    if (std::exchange(service_.waiting, 0) == 0) return Fail(Errc::kInvalid, "empty");
    return {};
  }
  void Clear() override { service_.waiting = 0; }
  Result<> Configure(const StreamOptions& options) override {
    if (options.request.language.size() > 2) __builtin_trap();
    return {};
  }
  void Acknowledge(std::uint64_t) override {}
  void Finish(std::function<void()>) override {}
  void Forget() override {}

 private:
  Service& service_;
  const std::string session_ = "abc";
};

// What a client may rely on, whatever it sent.
class Client {
 public:
  void Take(const std::string& event) {
    const auto json = nlohmann::json::parse(event, nullptr, false);
    if (!json.is_object() || event.find('\n') != std::string::npos) __builtin_trap();
    if (!ids_.insert(json.at("event_id").get<std::string>()).second) __builtin_trap();
    const std::string type = json.at("type");
    if (!json.contains("item_id")) return;
    const std::string item = json["item_id"];
    if (ended_.contains(item)) __builtin_trap();
    if (type.ends_with(".committed") && !committed_.insert(item).second) __builtin_trap();
    if (type.ends_with(".completed") || type.ends_with(".failed")) {
      if (!committed_.contains(item)) __builtin_trap();
      ended_.insert(item);
    }
  }

 private:
  std::set<std::string> ids_, committed_, ended_;
};

void Do(RealtimeSession& session, Service& service, std::string_view line) {
  const std::string_view rest = line.substr(std::min<std::size_t>(1, line.size()));
  const char kind = line.empty() ? ' ' : line[0];
  if (kind == 'e' && rest.size() >= 2) {
    StreamEvent event;
    event.kind = static_cast<Kind>(static_cast<unsigned char>(rest[0]) % 8);
    event.item = static_cast<unsigned char>(rest[1]) % 16;
    event.text = rest.substr(2);
    event.error.what = event.text;
    return session.OnEvent(event);
  }
  if (kind == 'r') {
    service.busy = !service.busy;
    return session.Continue();
  }
  if (kind == 'd') return session.OnDelivered(rest.size());
  while (session.waits() != RealtimeSession::Wait::kNone) {
    service.busy = false;
    session.Continue();
  }
  if (kind == 'b')
    session.OnBinary({reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size()});
  else
    session.OnText(line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  RealtimeConnect connect;
  if (text.starts_with('q')) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (auto read = ParseRealtimeConnect(line, size % 2 == 0)) connect = *std::move(read);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  Service service;
  Client client;
  RealtimeSession session(std::move(connect), "n",
                          [&](const std::string& event) { client.Take(event); });
  session.Begin(std::make_unique<Stream>(service));
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    Do(session, service, line);
  }
  return 0;
}
