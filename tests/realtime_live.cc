// The HTTP server over a speech service that says what it is told to, for realtime_test.py. Its
// argument is a JSON object with limits, its first line the port; then each line of its input, one
// JSON object, is done and answered by one.
#include <nlohmann/json.hpp>

#include <iostream>
#include <map>

#include "net/http/web_server.h"
#include "net/testing/fake_speech.h"

namespace {

using headroom::Errc;
using headroom::Error;
using headroom::Milliseconds;
using headroom::net::FakeSpeech;
using headroom::net::StreamEvent;
using nlohmann::json;

StreamEvent EventOf(const json& said) {
  using Kind = StreamEvent::Kind;
  static const std::map<std::string, Kind> kinds = {
      {"started", Kind::kStarted}, {"stopped", Kind::kStopped}, {"committed", Kind::kCommitted},
      {"partial", Kind::kPartial}, {"text", Kind::kText},       {"failed", Kind::kFailed},
      {"dropped", Kind::kDropped}, {"trouble", Kind::kWarning}};
  StreamEvent event;
  event.kind = kinds.at(said.at("kind"));
  event.item = said.value("item", std::uint64_t{0});
  event.at = Milliseconds(said.value("at", 0));
  event.audio = Milliseconds(said.value("audio", 0));
  event.text = said.value("text", "");
  event.language = said.value("language", "");
  event.error = {Errc::kInternal, said.value("error", "")};
  return event;
}

std::optional<Error> ErrorOf(const json& name) {
  if (name.is_null()) return std::nullopt;
  return Error{headroom::ErrcFromName(name.get<std::string>()), "as it was told"};
}

json Do(FakeSpeech& speech, headroom::net::WebServer& server, const json& order) {
  if (order.contains("drain")) server.Drain(order["drain"]);
  if (order.contains("push")) {
    for (int i = order.value("times", 1); i > 0; --i)
      speech.Push(order.at("session"), EventOf(order.at("push")));
  }
  if (order.contains("refuse_streams"))
    speech.Change([&](FakeSpeech& to) { to.refuse_streams = ErrorOf(order["refuse_streams"]); });
  if (order.contains("refuse_samples"))
    speech.Change([&](FakeSpeech& to) { to.refuse_samples = ErrorOf(order["refuse_samples"]); });
  if (order.contains("commit_text"))
    speech.Change([&](FakeSpeech& to) { to.commit_text = order["commit_text"]; });
  json answer = {{"streams", speech.streams()}};
  if (order.contains("log")) {
    const FakeSpeech::StreamLog log = speech.Log(order["log"]);
    answer["samples"] = log.samples.size();
    answer["commits"] = log.commits;
    answer["clears"] = log.clears;
    answer["acknowledged"] = log.acknowledged;
    answer["closed"] = log.closed;
    answer["forgotten"] = log.forgotten;
    answer["resume"] = log.options.resume;
    answer["have"] = log.options.have;
    answer["model"] = log.options.request.model;
    answer["configured"] = json::array();
    for (const auto& options : log.configured)
      answer["configured"].push_back(
          {{"language", options.request.language}, {"turns", options.turns.has_value()}});
  }
  return answer;
}

}  // namespace

int main(int argc, char** argv) {
  FakeSpeech speech;
  headroom::net::WebOptions options;
  options.listen = "127.0.0.1:0";
  const json chosen = argc > 1 ? json::parse(argv[1]) : json::object();
  options.most_connections = chosen.value("most", options.most_connections);
  options.realtime_quiet = Milliseconds(chosen.value("quiet", options.realtime_quiet.count()));
  options.realtime_spare = Milliseconds(chosen.value("spare", options.realtime_spare.count()));
  options.keep_alive = Milliseconds(chosen.value("sweep", options.keep_alive.count()));
  const auto server = headroom::net::WebServer::Start(options, speech);
  if (!server) {
    std::cerr << server.error().what << "\n";
    return 1;
  }
  std::cout << (*server)->port() << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << Do(speech, **server, json::parse(line)) << std::endl;
}
