// Takes over the terminal: alternate screen, no echo, no cursor. The destructor restores it. One
// instance at a time.
#pragma once

#include <termios.h>

#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"

namespace headroom::cli {

class Screen {
 public:
  /// kUnsupported when standard input or output is not a terminal.
  static Result<Screen> Open();
  Screen(Screen&& other) noexcept;
  Screen& operator=(Screen&&) = delete;
  ~Screen();

  struct Size {
    int width = 80, height = 24;
  };
  static Size size();

  void Draw(const std::vector<std::string>& lines) const;

  enum class Wake { kTime, kResized, kKey, kQuit };
  /// Waits for `deadline`, a key (q quits), a new window size or `cancel`.
  Wake Wait(MonoTime deadline, const CancelToken& cancel) const;

 private:
  explicit Screen(const termios& before) : before_(before), open_(true) {}
  termios before_;
  bool open_;
};

}  // namespace headroom::cli
