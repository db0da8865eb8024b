// The memory report for the page: made by headroom-report, in a process of its own, from the flight
// record. One at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "app/daemon/background_task.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/control/control.h"

namespace headroom::app {

class ReportRunner {
 public:
  /// HTML of that much of the past. Blocks.
  using Maker =
      std::function<Result<std::string>(const std::filesystem::path& record, Milliseconds since)>;

  explicit ReportRunner(Maker make = {});  // {}: headroom-report
  /// Waits for the one that is being made.
  ~ReportRunner() = default;

  /// One thread at a time; the answer comes on another. `record`: "" where none is kept.
  void Make(const std::filesystem::path& record, const std::string& since, net::Answer answer);

 private:
  const Maker make_;
  BackgroundTask making_;
};

}  // namespace headroom::app
