// Shows the steps of work on models as progress lines with a rate.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "app/cli/terminal.h"
#include "models/store/add.h"

namespace headroom::cli {

/// One at a time per process, one thread. The listener must not outlive it.
class StepLine {
 public:
  explicit StepLine(const Clock& clock = SystemClock()) : clock_(clock) {}
  models::Listener listener();

 private:
  void Show(const models::Step& step);
  std::string Detail(const models::Step& step);

  const Clock& clock_;
  std::string what_;
  std::optional<Progress> line_;
  std::deque<std::pair<MonoTime, Bytes>> recent_;  // of this step, for the rate
};

}  // namespace headroom::cli
