#include "net/server/counters.h"

#include <fmt/format.h>

namespace headroom::net {

void AddNumber(std::string& text, std::string_view name, std::string_view type,
               std::string_view help, std::uint64_t value) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

}  // namespace headroom::net
