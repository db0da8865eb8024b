#include "observe/probe/serve.h"

#include <array>

#include "base/clock.h"
#include "base/fd.h"
#include "observe/probe/amdgpu.h"
#include "observe/probe/nvidia.h"

namespace headroom::probe {

Result<> Serve(int in, int out, const ServeOptions& options) {
  const Clock& clock = SystemClock();
  NvidiaReader nvidia(options.root, options.nvml.empty() ? kNvmlLibrary : options.nvml, clock);
  AmdgpuReader amdgpu(options.root);
  std::string input;
  std::array<std::byte, 4096> block;
  while (true) {
    TRY_ASSIGN(const std::size_t n, ReadSome(in, block));
    if (n == 0) return {};
    input.append(reinterpret_cast<const char*>(block.data()), n);
    std::size_t end;
    while ((end = input.find('\n')) != std::string::npos) {
      TRY_ASSIGN(const Request request, ParseRequest(std::string_view(input).substr(0, end)));
      input.erase(0, end + 1);
      const MonoTime start = clock.Now();
      Answer answer{.seq = request.seq, .took_us = 0, .devices = nvidia.Read(request.rest)};
      for (Device& device : amdgpu.Read(request.ours, request.rest)) {
        if (answer.devices.size() < kMostDevices) answer.devices.push_back(std::move(device));
      }
      answer.took_us =
          std::chrono::duration_cast<std::chrono::microseconds>(clock.Now() - start).count();
      TRY(WriteAll(out, FormatAnswer(answer) + "\n"));
    }
    if (input.size() > kMostLine) return Fail(Errc::kProtocol, "a request that is too long");
  }
}

}  // namespace headroom::probe
