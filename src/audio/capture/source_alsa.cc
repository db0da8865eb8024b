// Capturing through alsa-lib, for machines without a sound server.
#include <alsa/asoundlib.h>

#include <array>
#include <memory>

#include "audio/capture/alsa_devices.h"
#include "audio/capture/backoff.h"
#include "audio/capture/capture_loops.h"
#include "audio/capture/devices.h"
#include "base/owned.h"

namespace headroom::audio {
namespace {

constexpr std::size_t kBlock = 512;
constexpr unsigned kBufferMicroseconds = 256'000;  // ALSA makes four periods of it
constexpr int kWaitMilliseconds = 100;
constexpr Milliseconds kStalled{3000};

using Pcm = Owned<snd_pcm_t, snd_pcm_close>;

struct Opened {
  Pcm pcm;
  bool floats = true;  // else 16 bits
  std::string shown;
};

Result<Opened> OpenOne(const std::string& name, const std::string& shown) {
  snd_pcm_t* raw = nullptr;
  int failed = snd_pcm_open(&raw, name.c_str(), SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK);
  if (failed < 0) return FailErrno(-failed, "{} cannot be opened", shown);
  Opened opened{Pcm(raw), true, shown};
  const auto configure = [&](snd_pcm_format_t format) {
    return snd_pcm_set_params(raw, format, SND_PCM_ACCESS_RW_INTERLEAVED, 1, kSampleRate, 1,
                              kBufferMicroseconds);
  };
  failed = configure(SND_PCM_FORMAT_FLOAT);
  if (failed < 0) {
    opened.floats = false;
    failed = configure(SND_PCM_FORMAT_S16);
  }
  if (failed < 0)
    return Fail(Errc::kUnsupported,
                "{} does not give 16 kHz mono ({}); a name that begins with plughw: converts",
                shown, snd_strerror(failed));
  if (failed = snd_pcm_start(raw); failed < 0)
    return FailErrno(-failed, "{} does not start", shown);
  return opened;
}

/// Opens the first configured device that can be opened, else returns the error of the last.
Result<Opened> OpenFirst(const std::vector<std::string>& wanted) {
  const auto devices = ListAlsaDevices().value_or(std::vector<Device>());
  Result<Opened> opened = Fail(Errc::kNotFound, "no device is configured");
  for (const std::string& name : wanted) {
    const auto choice = DevicePreference({name}).Choose(devices);
    const bool listed = name != "default" && choice.device;
    // An unlisted name may still be in the user's configuration, or be like "plughw:1".
    opened = listed ? OpenOne(choice.device->name, choice.device->description)
                    : OpenOne(name, name == "default" ? "ALSA's default device" : name);
    if (opened) break;
  }
  return opened;
}

/// Captures until the device fails, and returns why, or until stop() is raised, and returns "".
std::string Listen(const Opened& opened, const SourceOptions& options, Capture& capture,
                   Backoff& backoff) {
  snd_pcm_t* pcm = opened.pcm.get();
  const Clock& clock = SystemClock();
  const MonoTime since = clock.Now();
  MonoTime last = since, last_sound = since;
  std::array<float, kBlock> samples{};
  std::array<std::int16_t, kBlock> shorts{};
  while (!capture.stop().raised()) {
    snd_pcm_wait(pcm, kWaitMilliseconds);
    void* into = opened.floats ? static_cast<void*>(samples.data()) : shorts.data();
    const snd_pcm_sframes_t count = snd_pcm_readi(pcm, into, kBlock);
    const MonoTime now = clock.Now();
    if (count == -EAGAIN || count == 0) {
      if (now - last > kStalled) return opened.shown + " gives no samples";
      continue;
    }
    if (count < 0) {
      // An overrun or a suspend loses samples, but not the device.
      const bool recovered = snd_pcm_recover(pcm, static_cast<int>(count), 1) == 0;
      if (!recovered) return opened.shown + " went away: " + snd_strerror(static_cast<int>(count));
      capture.CountInterruption();
      snd_pcm_start(pcm);
      continue;
    }
    const auto got = std::span(samples).first(static_cast<std::size_t>(count));
    if (!opened.floats) {
      for (std::size_t i = 0; i < got.size(); ++i)
        got[i] = static_cast<float>(shorts[i]) / 32768.0F;
    }
    capture.Put(got);
    last = now;
    if (std::ranges::any_of(got, [](float s) { return s != 0; })) last_sound = now;
    if (now - since > kStalled) backoff.Reset();
    capture.Say(SourceState::kRunning, opened.shown,
                now - last_sound > options.silence
                    ? opened.shown + " has given nothing but silence; is it muted?"
                    : "");
  }
  return "";
}

}  // namespace

Result<> CaptureAlsa(const SourceOptions& options, Capture& capture) {
  SilenceAlsa();
  const auto wanted =
      options.devices.empty() ? std::vector<std::string>{"default"} : options.devices;
  Backoff backoff(Milliseconds(200), Milliseconds(3000));
  while (!capture.stop().raised()) {
    auto opened = OpenFirst(wanted);
    std::string problem = opened ? Listen(*opened, options, capture, backoff) : opened.error().what;
    if (capture.stop().raised()) break;
    if (opened) capture.CountInterruption();
    capture.Say(SourceState::kLost, opened ? opened->shown : "", std::move(problem));
    opened = Fail(Errc::kCancelled, "closed");  // closes the device before the wait
    if (!capture.SleepFor(backoff.Next())) break;
  }
  return {};
}

}  // namespace headroom::audio
