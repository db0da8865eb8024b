// The neighbour on the card (bench_ballast), and what the probe sees of the card.
#pragma once

#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/child.h"
#include "observe/probe/device_probe.h"

namespace headroom {

struct GpuNow {
  std::string name, driver;
  Bytes total, used;
  std::optional<Bytes> own = {};  // of the process that was asked about, where the driver tells
};

/// One thread at a time.
class GpuReader {
 public:
  GpuReader(std::string pci, probe::DeviceProbeOptions options)
      : pci_(std::move(pci)), probe_(std::move(options)) {}
  /// nullopt: nobody can read it.
  std::optional<GpuNow> Read(pid_t process = -1);

 private:
  const std::string pci_;
  probe::DeviceProbe probe_;
};

/// The most that was in use on the card from its begin to Stop, by a thread that looks all the
/// time.
class Watch {
 public:
  Watch(GpuReader& reader, pid_t process);
  ~Watch() { Stop(); }
  std::optional<GpuNow> Stop();

 private:
  std::optional<GpuNow> most_;
  std::jthread thread_;
};

class Neighbour {
 public:
  /// `card`: as bench_ballast names it.
  static Result<Neighbour> Make(const std::string& program, const std::string& backend,
                                const std::string& gpu);
  /// Has so much.
  Result<> Hold(Bytes bytes) { return Tell("hold", bytes); }
  /// Takes or gives until so much of the card is free.
  Result<> Leave(Bytes bytes) { return Tell("leave", bytes); }
  Bytes held() const { return held_; }
  /// Of the card as its driver tells its programs; 0: it does not.
  Bytes free() const { return free_; }

 private:
  explicit Neighbour(Child child) : child_(std::move(child)) {}
  Result<> Tell(const char* kind, Bytes bytes);
  Result<> Hear();

  Child child_;
  Fd in_, out_;
  Bytes held_, free_;
};

}  // namespace headroom
