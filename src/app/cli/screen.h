// The whole terminal for as long as this lives: alternate screen, no echo, no cursor. What was
// there before comes back with the destructor. One at a time.
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
  /// kUnsupported when standard input or output is no terminal.
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
  /// Until `deadline`, a key (q quits), a new size of the window, or `cancel`.
  Wake Wait(MonoTime deadline, const CancelToken& cancel) const;

 private:
  explicit Screen(const termios& before) : before_(before), open_(true) {}
  termios before_;
  bool open_;
};

}  // namespace headroom::cli
