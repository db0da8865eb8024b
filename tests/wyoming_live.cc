// A Wyoming server over a service that hears the same in everything, for wyoming_test.py. Its port
// is the first line; a number on standard input is answered with what that stream was asked.
#include <iostream>
#include <nlohmann/json.hpp>

#include "net/testing/fake_speech.h"
#include "net/wyoming/wyoming_server.h"

int main() {
  using namespace headroom::net;
  FakeSpeech speech;
  speech.commit_text = "Mach das Licht an.";
  WyomingOptions options;
  options.listen = "127.0.0.1:0";
  options.version = "1.2.3";
  const auto server = WyomingServer::Start(options, speech);
  if (!server) {
    std::cerr << server.error().what << "\n";
    return 1;
  }
  std::cout << (*server)->port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto log = speech.Log("session" + line);
    double most = 0;
    for (const float sample : log.samples)
      most = std::max(most, std::abs(static_cast<double>(sample)));
    std::cout << nlohmann::json{{"language", log.options.request.language},
                                {"model", log.options.request.model},
                                {"prompt", log.options.request.prompt},
                                {"samples", log.samples.size()},
                                {"loudest", most},
                                {"streams", speech.streams()}}
              << std::endl;
  }
}
