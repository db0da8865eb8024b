// Lists the capture devices and chooses one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "audio/capture/source.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::audio {

struct Device {
  SourceKind kind = SourceKind::kPulse;  // kPulse or kAlsa
  std::string name;                      // the server's or ALSA's name
  std::string description = {};          // for people; may be ""
  bool is_default = false;               // the server's default source
  bool monitor = false;                  // records an output, not a microphone
  bool muted = false;
};

/// All devices that can record. kAuto: the sound server's when there is one, else ALSA's. kNotFound
/// when no server answers within `deadline`. Any thread.
Result<std::vector<Device>> ListDevices(SourceKind kind = SourceKind::kAuto,
                                        Milliseconds deadline = Milliseconds(3000));

/// Chooses among the present devices as SourceOptions::devices describes. Remembers descriptions,
/// so that a renamed device is found again.
class DevicePreference {
 public:
  explicit DevicePreference(std::vector<std::string> wanted);

  struct Choice {
    const Device* device = nullptr;  // in the given list; null: none
    std::string why;                 // one line, when null
  };
  Choice Choose(const std::vector<Device>& devices);

 private:
  const Device* Find(const std::string& wanted, const std::vector<Device>& devices) const;

  std::vector<std::string> wanted_;
  std::map<std::string, std::string> known_as_;  // configured name -> last description
};

}  // namespace headroom::audio
