// What ALSA can record from.
#pragma once

#include <vector>

#include "audio/capture/devices.h"

namespace headroom::audio {

/// As ALSA's configuration names them; never fails where there is a configuration.
Result<std::vector<Device>> ListAlsaDevices();

/// Whether the kernel knows a sound card that can record. `proc`: where /proc is.
bool HasAlsaMicrophone(const std::string& proc = "/proc");

/// alsa-lib speaks to standard error on its own; not any more.
void SilenceAlsa();

}  // namespace headroom::audio
