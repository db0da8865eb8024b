// One number as Prometheus text.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace headroom::api {

/// `type`: "counter" or "gauge".
inline void AddNumber(std::string& text, std::string_view name, std::string_view type,
                      std::string_view help, std::uint64_t value) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

}  // namespace headroom::api
