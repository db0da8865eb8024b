#include "audio/capture/alsa_devices.h"

#include <alsa/asoundlib.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "base/file.h"

namespace headroom::audio {
namespace {

std::string Hint(const void* hint, const char* key) {
  const std::unique_ptr<char, decltype(&std::free)> value(snd_device_name_get_hint(hint, key),
                                                          std::free);
  std::string text = value ? value.get() : "";
  std::ranges::replace(text, '\n', ' ');
  return text;
}

void SayNothing(const char*, int, const char*, int, const char*, ...) {}

}  // namespace

void SilenceAlsa() {
  static std::once_flag once;
  std::call_once(once, [] { snd_lib_error_set_handler(SayNothing); });
}

Result<std::vector<Device>> ListAlsaDevices() {
  SilenceAlsa();
  void** hints = nullptr;
  if (const int failed = snd_device_name_hint(-1, "pcm", &hints); failed < 0)
    return Fail(Errc::kNotFound, "ALSA does not list its devices: {}", snd_strerror(failed));
  std::vector<Device> devices;
  for (void** hint = hints; *hint; ++hint) {
    // "Input", "Output", or null for both.
    if (Hint(*hint, "IOID") == "Output") continue;
    const std::string name = Hint(*hint, "NAME");
    if (name.empty() || name == "null") continue;
    devices.push_back({.kind = SourceKind::kAlsa,
                       .name = name,
                       .description = Hint(*hint, "DESC"),
                       .is_default = name == "default"});
  }
  snd_device_name_free_hint(hints);
  return devices;
}

bool HasAlsaMicrophone(const std::string& proc) {
  const auto cards = ReadFile(proc + "/asound/pcm");
  return cards && cards->find("capture") != std::string::npos;
}

}  // namespace headroom::audio
