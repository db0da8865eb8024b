#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "audio/capture/capture_loops.h"
#include "audio/decode/media_reader.h"

namespace headroom::audio {
namespace {

constexpr const char* kName = "standard input";

Result<> CaptureMedia(Capture& capture) {
  auto reader = MediaReader::Open("-", &capture.stop());
  std::vector<float> block(512);
  while (!capture.stop().raised()) {
    if (!reader) return Within(reader, "listen");
    auto count = (*reader)->Read(block);
    if (!count && capture.stop().raised()) break;
    if (!count) return Within(count, "listen");
    if (*count == 0) break;
    if (!capture.PutAll(std::span(block).first(*count))) break;
    capture.Say(SourceState::kRunning, kName, "");
  }
  return {};
}

float Sample(const std::byte* at, StdinFormat format) {
  if (format == StdinFormat::kF32) {
    float value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  std::int16_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return static_cast<float>(value) / 32768.0F;
}

Result<> CaptureRaw(StdinFormat format, Capture& capture) {
  const std::size_t width = format == StdinFormat::kF32 ? sizeof(float) : sizeof(std::int16_t);
  std::vector<std::byte> bytes(2048);
  std::vector<float> samples;
  std::size_t have = 0;  // bytes of an incomplete sample
  while (true) {
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {capture.stop().fd(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return FailErrno(errno, "{}", kName);
    if (capture.stop().raised()) return {};
    if (waits[0].revents == 0) continue;
    auto count = ReadSome(STDIN_FILENO, std::span(bytes).subspan(have));
    if (!count) return Within(count, "{}", kName);
    if (*count == 0) return {};
    have += *count;
    samples.clear();
    std::size_t used = 0;
    for (; used + width <= have; used += width) samples.push_back(Sample(&bytes[used], format));
    std::memmove(bytes.data(), &bytes[used], have - used);
    have -= used;
    if (samples.empty()) continue;
    if (!capture.PutAll(samples)) return {};
    capture.Say(SourceState::kRunning, kName, "");
  }
}

}  // namespace

Result<> CaptureStdin(const SourceOptions& options, Capture& capture) {
  if (options.stdin_format == StdinFormat::kMedia) return CaptureMedia(capture);
  return CaptureRaw(options.stdin_format, capture);
}

}  // namespace headroom::audio
