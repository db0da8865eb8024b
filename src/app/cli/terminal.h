// One-line messages and a progress line on stderr. stdout is for results only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "app/cli/exit_code.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::cli {

/// Prints "headroom: <what>" on stderr and returns the exit code for it.
int Complain(const Error& error);

/// Runs a program's action; turns a library's exception into a message and an exit code.
int Guarded(const std::function<int()>& action);

/// Prints "headroom: <line>" on stderr, clearing a progress line first.
void Note(std::string_view line);

/// "1 word", "2 words". `noun` is a singular that takes an s.
std::string CountOf(std::size_t count, std::string_view noun);

/// The beginning of a UTF-8 line, cut to the terminal's width less one.
std::string_view FitTerminal(std::string_view line);

/// A line that is rewritten at most ten times a second. Silent unless stderr is a terminal, so logs
/// and pipes stay clean. One instance per process, used by one thread.
class Progress {
 public:
  explicit Progress(std::string label, const Clock& clock = SystemClock());
  ~Progress();  // clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `fraction` in 0…1, or nullopt when the whole is unknown; `detail` is e.g. "12.3 of 77.7 MB,
  /// 4.1 MB/s". Time left is estimated from the fraction and the time since the first call.
  void Show(std::optional<double> fraction, std::string_view detail);
  void Clear();

 private:
  friend void Note(std::string_view);
  std::string label_;
  const Clock& clock_;
  bool on_terminal_;
  bool shown_ = false;
  std::optional<MonoTime> started_;
  MonoTime last_{};
};

/// A cancel token that SIGINT and SIGTERM raise; a second signal ends the process immediately.
CancelToken& InterruptToken();

}  // namespace headroom::cli
