// What there is to listen to, and which of it is meant.
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
  std::string name;                      // what the server or ALSA calls it
  std::string description = {};          // for a person; may be ""
  bool is_default = false;               // the server's default source
  bool monitor = false;                  // what the speakers play, not a microphone
  bool muted = false;
};

/// Everything that can be recorded from. kAuto: of the sound server when there is one, else ALSA's.
/// kNotFound when no server answers within `deadline`. For any thread.
Result<std::vector<Device>> ListDevices(SourceKind kind = SourceKind::kAuto,
                                        Milliseconds deadline = Milliseconds(3000));

/// Chooses among the devices that are there (SourceOptions::devices says how), and remembers by
/// which description it knew a device, so that it is found again under another name.
class DevicePreference {
 public:
  explicit DevicePreference(std::vector<std::string> wanted);

  struct Choice {
    const Device* device = nullptr;  // of the list given; null: none of them
    std::string why;                 // when null, one line for a person
  };
  Choice Choose(const std::vector<Device>& devices);

 private:
  const Device* Find(const std::string& wanted, const std::vector<Device>& devices) const;

  std::vector<std::string> wanted_;
  std::map<std::string, std::string> known_as_;  // wanted name -> description it had
};

}  // namespace headroom::audio
