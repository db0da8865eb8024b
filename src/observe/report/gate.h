// Conditions for CI: "leak>1MiB/h,peak>3.2GiB,errors>0". Pure.
//
// leak (of any gauge, a leak verdict with a slope above), vram, ram, swap (peaks; vram also in
// percent), peak (of any gauge), errors, burst (errors in the worst second), unsafe (percent of
// time outside the safe zone, of any gauge).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "observe/analyze/findings.h"

namespace headroom::report {

struct Condition {
  std::string name;  // as above
  double limit = 0;  // bytes, bytes an hour, a count or percent
  bool percent = false;
  std::string text;  // as written
};

Result<std::vector<Condition>> ParseConditions(std::string_view text);
/// One line for each condition that holds: "peak>3.2GiB: VRAM of GPU 0 reached 3740 MiB".
std::vector<std::string> Holding(const std::vector<Condition>& conditions,
                                 const analyze::Findings& findings);

}  // namespace headroom::report
