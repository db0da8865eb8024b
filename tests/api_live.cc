// The HTTP server over a service that hears the same in everything, for api_test.py. Its port is
// the first line; then a line of JSON is answered with one: "ready", "error", "delay_ms" change
// what the service does, and the answer is what it was asked since.
#include <iostream>
#include <nlohmann/json.hpp>

#include "net/http/web_server.h"
#include "net/testing/fake_speech.h"

int main(int argc, char** argv) {
  using namespace headroom;
  if (argc != 2 && argc != 4) return 2;
  net::FakeSpeech speech;
  net::WebOptions options;
  options.listen = "127.0.0.1:0";
  options.spool = std::filesystem::path(argv[1]) / "uploads";
  options.tokens = std::filesystem::path(argv[1]) / "tokens";
  if (argc == 4) {
    options.tls_certificate = argv[2];
    options.tls_key = argv[3];
  }
  const auto server = net::WebServer::Start(options, speech);
  if (!server) {
    std::cerr << server.error().what << "\n";
    return 1;
  }
  std::cout << (*server)->port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto told = nlohmann::json::parse(line);
    speech.Change([&](net::FakeSpeech& fake) {
      if (const auto reason = told.find("not_ready"); reason != told.end()) {
        fake.state.ready = false;
        fake.state.reason = *reason;
        fake.state.retry_after = Milliseconds(7000);
      }
      if (const auto error = told.find("error"); error != told.end())
        fake.script.error = Error{ErrcFromName(error->get<std::string>()), "as it was told"};
      if (const auto delay = told.find("delay_ms"); delay != told.end())
        fake.script.delay = Milliseconds(delay->get<int>());
    });
    nlohmann::json asked = nlohmann::json::array();
    for (const auto& one : speech.asked()) {
      asked.push_back({{"model", one.request.model},
                       {"language", one.request.language},
                       {"prompt", one.request.prompt},
                       {"translate_to", one.request.translate_to},
                       {"unpunctuated", one.request.unpunctuated},
                       {"word_times", one.request.word_times},
                       {"size", one.size}});
    }
    std::cout << nlohmann::json{{"asked", asked},
                                {"jobs", speech.jobs()},
                                {"cancelled", speech.cancelled()}}
              << std::endl;
  }
}
