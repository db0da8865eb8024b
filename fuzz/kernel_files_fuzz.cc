// The small text files of the kernel, with any content. Whatever is believed must be in bounds.
#include <cstdint>
#include <string_view>

#include "observe/probe/amdgpu.h"
#include "observe/probe/cgroup.h"
#include "observe/probe/host.h"
#include "observe/probe/kernel_text.h"
#include "observe/probe/pci.h"
#include "observe/probe/process.h"

namespace {
using namespace headroom;

void Check(Bytes bytes) {
  if (bytes < Bytes(0) || bytes > probe::kMostBytes) __builtin_trap();
}
void Check(const probe::Stall& stall) {
  if (!(stall.avg10 >= 0 && stall.avg10 <= 100) || stall.total.count() < 0) __builtin_trap();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto host = probe::ParseMeminfo(text)) {
    Check(host->total);
    if (host->available > host->total || host->free > host->total) __builtin_trap();
    if (host->swap) Check(host->swap->used());
  }
  if (const auto status = probe::ParseStatus(text)) {
    for (const Bytes bytes : {status->rss, status->anon, status->file, status->shmem, status->swap})
      Check(bytes);
  }
  if (const auto rollup = probe::ParseSmapsRollup(text)) {
    for (const Bytes bytes : {rollup->rss, rollup->pss, rollup->anon, rollup->swap}) Check(bytes);
  }
  if (const auto pressure = probe::ParsePressure(text)) {
    Check(pressure->some);
    Check(pressure->full);
  }
  if (const auto path = probe::ParseCgroupPath(text)) {
    if (!path->starts_with('/') || (*path + "/").find("/../") != std::string::npos)
      __builtin_trap();
  }
  if (const auto events = probe::ParseMemoryEvents(text)) {
    if (events->high < 0 || events->oom_kill < 0) __builtin_trap();
  }
  if (const auto memory = probe::ParseFdinfo(text)) {
    Check(memory->vram);
    Check(memory->gtt);
    if (!probe::IsPciAddress(memory->pci)) __builtin_trap();
  }
  if (const auto bytes = probe::ParseByteCount(text)) Check(*bytes);
  (void)probe::ParseHex(text);
  return 0;
}
