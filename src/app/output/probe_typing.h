// Tests which typing methods work: each types a line into a terminal that is opened for it, and the
// result is compared. The window must stay in front, or another window gets the line.
#pragma once

#include <string>
#include <vector>

#include "app/output/session.h"
#include "app/output/target.h"

namespace headroom::output {

struct InjectorReport {
  std::string name;
  bool exact = false;
  std::string what;  // one line: what arrived, or why it was not tried
};

struct TypingReport {
  SessionKind session = SessionKind::kNone;
  std::string terminal;  // "" when there is none to try with: then nothing was typed
  std::vector<InjectorReport> injectors;
  std::string first_exact;  // "" when none was
};

/// Takes some seconds. kNotFound without a graphical session.
Result<TypingReport> ProbeTyping(const TypingOptions& options);

}  // namespace headroom::output
