// Exit codes, the same for every subcommand; documented in docs/cli.md.
#pragma once

#include "base/error.h"

namespace headroom::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,        // anything not named below
  kUsage = 2,         // the command line makes no sense
  kMissing = 3,       // a file, model or program is not there
  kBadInput = 4,      // it is there, but not what it should be, or not something we can do
  kNetwork = 5,       // no answer from where models come from
  kResources = 6,     // disk, memory, permission, or somebody else holds it
  kEngine = 7,        // the recognition worker died, hung or spoke nonsense
  kIncomplete = 8,    // text was written, but some of the input could not be read
  kAgain = 75,        // the service wants to be started anew (EX_TEMPFAIL of sysexits.h)
  kInterrupted = 130  // Ctrl-C or SIGTERM
};

ExitCode ExitCodeFor(Errc code);

}  // namespace headroom::cli
