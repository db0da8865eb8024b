// What `watch` and `run` share: a watcher whose looks go into a flight record.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "observe/probe/device_probe.h"
#include "observe/record/writer.h"
#include "observe/watch/watcher.h"

namespace headroom::cli {

/// "2026-01-31 ollama.service" as a file name: letters, digits, dots, dashes; never empty.
std::string FileNameOf(std::string_view text);

class Recording {
 public:
  /// The file is open and written to when this returns, or an error says why not.
  static Result<std::unique_ptr<Recording>> Begin(record::WriterOptions to, watch::WatchOptions of);

  /// One look; its trouble ("neither docker nor podman is here") is told to a person once.
  watch::Observation Look(MonoTime due);
  record::Writer& writer() { return *writer_; }

  struct Peaks {
    Bytes ram, swap, gpu;
    int looks = 0;
  };
  const Peaks& peaks() const { return peaks_; }
  /// "12 min, 720 samples; at most 1.2 GiB of memory, 0 B of swap, 3.4 GiB of cards"
  std::string Summary() const;

 private:
  Recording(std::unique_ptr<record::Writer> writer, watch::WatchOptions of);

  std::unique_ptr<record::Writer> writer_;
  probe::DeviceProbe devices_;
  watch::Watcher watcher_;
  std::map<std::string, record::GpuName> told_;
  std::string trouble_;
  Peaks peaks_;
  MonoTime began_;
};

}  // namespace headroom::cli
