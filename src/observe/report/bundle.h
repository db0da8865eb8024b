// One text file to attach to an issue: what program and machine, the report, and its numbers,
// without what names a person. It is plain text so that a person who attaches it can read all of it
// first.
#pragma once

#include <string>

#include "observe/report/report.h"

namespace headroom::report {

/// What must not leave the machine. Empty: there is none.
struct Private {
  std::string home, user, host;
  static Private OfThisMachine();
};

/// Home folders become ~, the user's and the machine's names USER and HOST; UUIDs, addresses of
/// e-mail and network, and tokens of model hubs become "…". Names of one or two letters and "root"
/// say nothing and stay.
std::string Redact(std::string text, const Private& own);

/// The report as Markdown and JSON, without fingerprints of errors and quoted lines: both are words
/// of a foreign log. `facts`: lines about program and machine.
std::string Bundle(const Report& report, const std::string& facts, const Private& own);

/// Version, kernel, distribution, processors.
std::string FactsOfThisMachine();

}  // namespace headroom::report
