// The HTML report's style and script; made from src/report/page by CMake.
#pragma once

#include <string_view>

namespace headroom::report {

extern const std::string_view kPageStyle, kPageScript;

}  // namespace headroom::report
