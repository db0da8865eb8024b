// Exit codes, shared by all subcommands; documented in docs/cli.md.
#pragma once

#include "base/error.h"

namespace headroom::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,        // anything not named below
  kUsage = 2,         // invalid command line
  kMissing = 3,       // a file, model or program was not found
  kBadInput = 4,      // damaged, of the wrong kind, or not supported
  kNetwork = 5,       // no answer from the model hub or the daemon
  kResources = 6,     // disk, memory, permission, or in use elsewhere
  kEngine = 7,        // the recognition worker died, hung or broke the protocol
  kIncomplete = 8,    // text was written, but some of the input could not be read
  kAgain = 75,        // the service asks to be restarted (EX_TEMPFAIL of sysexits.h)
  kInterrupted = 130  // Ctrl-C or SIGTERM
};

ExitCode ExitCodeFor(Errc code);

}  // namespace headroom::cli
