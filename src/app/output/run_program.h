// One short-lived program with a deadline: text in, text out. Programs that leave a child behind in
// the background, as clipboard programs do, are not waited for beyond their own exit.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::output {

struct Program {
  std::vector<std::string> argv;
  std::string input = {};  // its standard input
  std::vector<std::pair<std::string, std::string>> environment = {};
  Milliseconds deadline{10'000};
  Bytes most_output = MiB(1);  // of standard output and of standard error
};

struct Ran {
  Exit exit;
  std::string out, err;
};

/// kNotFound "xclip is not installed"; kTimeout when it was killed at the deadline; kNoMemory when
/// it said more than most_output. An exit code other than 0 is no error here.
Result<Ran> RunProgram(const Program& program);

/// The same, and an exit code other than 0 is kIo with the first line of its standard error.
Result<Ran> RunWell(const Program& program);

/// Whether it is in PATH.
bool HaveProgram(const std::string& name);

}  // namespace headroom::output
