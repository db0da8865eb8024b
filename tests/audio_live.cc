// For audio_live_test.py: a source as the daemon uses it, driven line by line.
//   audio_live KIND OUTPUT BUFFER_MS SILENCE_MS [DEVICE…]   listens; samples as float32 to OUTPUT
//   audio_live devices
// Standard input: "stall" stops reading, "go" reads again, "close", "open"; its end ends it.
// Standard output: one JSON line whenever the report has changed.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "audio/capture/devices.h"
#include "base/check.h"
#include "base/fd.h"

using namespace headroom;

namespace {

nlohmann::json Json(const audio::SourceReport& report) {
  return {{"state", audio::Name(report.state)}, {"device", report.device},
          {"trouble", report.problem},          {"dropped", report.dropped},
          {"repaired", report.repaired},        {"interruptions", report.interruptions}};
}

int Devices() {
  const auto devices = audio::ListDevices();
  if (!devices) std::cerr << devices.error().what << "\n";
  if (!devices) return 1;
  nlohmann::json list = nlohmann::json::array();
  for (const audio::Device& device : *devices)
    list.push_back({{"name", device.name},
                    {"description", device.description},
                    {"default", device.is_default},
                    {"monitor", device.monitor},
                    {"muted", device.muted}});
  std::cout << list << std::endl;
  return 0;
}

/// False at the end of standard input.
bool Obey(audio::Source& source, bool& stalled) {
  char line[64];
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, 1, stalled ? 50 : 0) <= 0) return true;
  const ssize_t count = ::read(STDIN_FILENO, line, sizeof line);
  if (count <= 0) return false;
  const std::string command(line, static_cast<std::size_t>(count));
  if (command == "stall\n") stalled = true;
  if (command == "go\n") stalled = false;
  if (command == "close\n") source.Close();
  if (command == "open\n") CHECK(source.Open());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Devices();
  CHECK(argc >= 5);
  audio::SourceOptions options{.kind = audio::ParseSourceKind(argv[1]).value()};
  options.buffer = Milliseconds(std::stoi(argv[3]));
  options.silence = Milliseconds(std::stoi(argv[4]));
  options.devices.assign(argv + 5, argv + argc);
  const Fd out = Open(argv[2], O_WRONLY | O_CREAT | O_TRUNC).value();
  auto source = audio::MakeSource(options).value();
  CHECK(source->Open());
  std::vector<float> block(512);
  nlohmann::json told;
  bool stalled = false;
  while (Obey(*source, stalled)) {
    if (!stalled) {
      const auto count = source->Read(block, Milliseconds(50));
      CHECK(count);
      CHECK(WriteAll(out.get(), std::as_bytes(std::span(block).first(*count))));
      if (*count == 0) ::usleep(1000);
    }
    nlohmann::json now = Json(source->report());
    if (now == told) continue;
    std::cout << now << std::endl;
    told = std::move(now);
  }
  return 0;
}
