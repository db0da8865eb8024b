// The devices that ALSA can record from.
#pragma once

#include <vector>

#include "audio/capture/devices.h"

namespace headroom::audio {

/// Devices under the names of ALSA's configuration; never fails where there is a configuration.
Result<std::vector<Device>> ListAlsaDevices();

/// Whether the kernel has a sound card that can record. `proc`: the path of /proc.
bool HasAlsaMicrophone(const std::string& proc = "/proc");

/// Keeps alsa-lib from printing to standard error.
void SilenceAlsa();

}  // namespace headroom::audio
