// headroom devices: lists the devices that can record.
#include "audio/capture/devices.h"

#include <memory>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"

namespace headroom::cli {
namespace {

Result<int> List(bool as_json) {
  TRY_ASSIGN(const std::vector<audio::Device> devices, audio::ListDevices());
  nlohmann::json all = nlohmann::json::array();
  for (const audio::Device& device : devices) {
    if (as_json) {
      all.push_back({{"name", device.name},
                     {"description", device.description},
                     {"kind", audio::Name(device.kind)},
                     {"default", device.is_default},
                     {"monitor", device.monitor},
                     {"muted", device.muted}});
      continue;
    }
    std::string marks;
    if (device.monitor) marks += ", monitor of an output";
    if (device.muted) marks += ", muted";
    fmt::print("{} {}  {}{}\n", device.is_default ? "*" : " ", device.name, device.description,
               marks);
  }
  if (as_json) PrintJson({{"devices", all}});
  if (!as_json && devices.empty()) Note("no device to record from");
  return kOk;
}

}  // namespace

void AddDevices(Parser app, Action& chosen) {
  const auto as_json = std::make_shared<bool>(false);
  Parser devices = app.Add("devices", "List the microphones.");
  devices.AddFlag("--json", *as_json, "Print JSON");
  devices.Footer(
      "* marks the desktop's default. audio.device takes a name or part of a description.");
  devices.OnChosen(Runs(chosen, [as_json] { return List(*as_json); }));
}

}  // namespace headroom::cli
