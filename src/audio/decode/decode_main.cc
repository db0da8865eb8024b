// headroom-decode: media on descriptor 0, 16 kHz mono 32-bit float PCM on 1, status lines on 3.
// Started by audio::MediaReader only; see docs/audio.md.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <string_view>

#include "audio/decode/decode_input.h"
#include "audio/decode/decode_media.h"
#include "audio/decode/decode_sandbox.h"
#include "audio/format/decode_status.h"
#include "base/fd.h"
#include "base/fd_passing.h"

namespace headroom::audio {
namespace {

constexpr int kStatusFd = 3;

Result<DecodeEnd> Decode(DecodeInput& input) {
  const DecodeSinks sinks{
      .pcm = [](std::span<const float> pcm) { return WriteAll(STDOUT_FILENO, std::as_bytes(pcm)); },
      .status = [](const DecodeStatus& s) { return WriteAll(kStatusFd, FormatDecodeStatus(s)); }};
  try {
    return DecodeMedia(input, sinks);
  } catch (const std::bad_alloc&) {
    return Fail(Errc::kNoMemory, "it needs more memory than the decoder may use");
  }
}

// Descriptor 0 is a socket that receives the file, which then replaces descriptor 0.
bool WaitForInput() {
  auto input = ReceiveFd(STDIN_FILENO);
  return input && ::dup2(input->get(), STDIN_FILENO) == STDIN_FILENO;
}

int Main(int argc, char** argv) {
  const std::string_view argument = argc == 2 ? argv[1] : "";
  const bool self_test = argument == "--self-test";
  const bool wait = argument == "--wait";
  if (!self_test && ((argc != 1 && !wait) || ::fcntl(kStatusFd, F_GETFD) < 0)) {
    std::fputs("headroom-decode is started by headroom; see `headroom transcribe`\n", stderr);
    return 2;
  }
  if (wait && !WaitForInput()) return 1;  // the parent closed the socket
  auto input = DecodeInput::Make(STDIN_FILENO);
  Result<> ready = input ? EnterSandbox() : std::unexpected(input.error());
  if (self_test) return ready ? TestSandbox() : 2;
  DecodeStatus last;
  if (!ready) {
    last = std::move(ready.error());
  } else if (auto end = Decode(**input)) {
    last = *end;
  } else {
    last = std::move(end.error());
  }
  const auto written = WriteAll(kStatusFd, FormatDecodeStatus(last));
  return written && std::holds_alternative<DecodeEnd>(last) ? 0 : 1;
}

}  // namespace
}  // namespace headroom::audio

int main(int argc, char** argv) {
  // Nothing is to be flushed or torn down, and a hundred libraries have destructors.
  ::_exit(headroom::audio::Main(argc, argv));
}
