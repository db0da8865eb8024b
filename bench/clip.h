// What the benches of workers share: clips from files, and what a process has used.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace headroom::evaluation {

template <class T>
T Must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().what);
  std::exit(1);
}

// 16 kHz, one channel, 16 bits.
inline std::vector<float> ReadWav(const std::string& path) {
  const std::string bytes = Must(ReadFile(path, MiB(64)));
  std::vector<float> samples;
  for (std::size_t at = 44; at + 1 < bytes.size(); at += 2) {
    std::int16_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    samples.push_back(static_cast<float>(value) / 32768.0F);
  }
  return samples;
}

// Cpu time of a process so far, in milliseconds (proc(5): utime and stime, in ticks).
inline double CpuOf(pid_t pid) {
  const std::string stat = Must(ReadFile(fmt::format("/proc/{}/stat", pid)));
  const auto fields = Split(stat.substr(stat.rfind(')') + 2), ' ');
  return static_cast<double>(std::stoll(fields[11]) + std::stoll(fields[12])) * 1000 /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace headroom::evaluation
