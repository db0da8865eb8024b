// headroom-daemon-fake SOCKET: the control socket with a service that does nothing, for tests of
// commands and clients. Standard input: "publish NAME JSON", "hold", "asked", or its end.
#include <iostream>
#include <string>

#include "net/testing/fake_service.h"

int main(int argc, char** argv) {
  using namespace headroom;
  if (argc != 2) return 2;
  net::FakeService service;
  net::ServerOptions options;
  options.socket = argv[1];
  auto server = net::ControlServer::Start(options, service);
  if (!server) {
    std::cerr << "headroom: " << server.error().what << "\n";
    return 6;
  }
  std::cout << "ready" << std::endl;
  for (std::string line; !service.shutdown && std::getline(std::cin, line);) {
    if (line == "hold") {
      service.hold = true;
    } else if (line == "asked") {
      for (const std::string& what : service.asked()) std::cout << what << "|";
      std::cout << std::endl;
    } else if (line.starts_with("publish ")) {
      const std::size_t space = line.find(' ', 8);
      (*server)->Publish(line.substr(8, space - 8), nlohmann::json::parse(line.substr(space + 1)));
    }
  }
}
