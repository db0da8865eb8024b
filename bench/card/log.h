// The log of a measurement: Markdown on standard output, and whether everything was as it should
// be.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom {

class Log {
 public:
  template <class... Args>
  void Say(fmt::format_string<Args...> format, Args&&... args) {
    fmt::print("{}\n", fmt::format(format, std::forward<Args>(args)...));
    std::fflush(stdout);
  }
  /// What must hold; said either way, and once more at the end where it does not.
  void Check(bool holds, const std::string& what) {
    Say("- {}{}", holds ? "" : "**NOT:** ", what);
    if (!holds) wrong_ += "\n- " + what;
  }
  /// A step that could not be made at all.
  void Failed(const std::string& step, const Error& error) {
    Check(false, step + ": " + error.what);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  std::string wrong_;
};

inline std::string Mebi(Bytes bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes.n) / (1 << 20));
}

}  // namespace headroom
