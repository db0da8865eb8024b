// A watcher that writes its samples into a flight record; shared by `watch` and `run`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "observe/probe/device_probe.h"
#include "observe/record/writer.h"
#include "observe/watch/watcher.h"

namespace headroom::cli {

/// Turns any text into a file name of ASCII letters, digits, dots, underscores and dashes; never
/// "".
std::string FileNameOf(std::string_view text);

class WatchSession {
 public:
  /// Returns when the file is open and its first bytes are written, or fails with the reason.
  static Result<std::unique_ptr<WatchSession>> Begin(record::WriterOptions to,
                                                     watch::WatchOptions of);

  /// Takes and records one sample. Prints a new warning ("neither docker nor podman is here") once.
  watch::Observation Look(MonoTime due);
  record::Writer& writer() { return *writer_; }

  struct Peaks {
    Bytes ram, swap, gpu;
    std::size_t looks = 0;
  };
  const Peaks& peaks() const { return peaks_; }
  /// "12 min, 720 samples; at most 1.2 GiB of memory, 0 B of swap, 3.4 GiB of GPU memory"
  std::string Summary() const;

 private:
  WatchSession(std::unique_ptr<record::Writer> writer, watch::WatchOptions of);

  std::unique_ptr<record::Writer> writer_;
  probe::DeviceProbe devices_;
  watch::Watcher watcher_;
  std::map<std::string, record::GpuName> described_;  // GPUs whose names are in the record
  std::string warning_;                               // the last one printed
  Peaks peaks_;
  MonoTime began_;
};

}  // namespace headroom::cli
