#include "report/report.h"

namespace headroom::report {

std::string ToHtml(const Report& report) {
  return ToMarkdown(report);
}

}  // namespace headroom::report
