#include "app/cli/screen.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"

namespace headroom::cli {
namespace {

volatile sig_atomic_t resized = 0;

void Put(std::string_view text) {
  // The next read detects a closed terminal.
  [[maybe_unused]] const auto ignored = WriteAll(STDOUT_FILENO, text);
}

}  // namespace

Result<Screen> Screen::Open() {
  termios before{};
  if (::isatty(STDOUT_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &before) != 0)
    return Fail(Errc::kUnsupported, "not a terminal; use --once or --format json");
  termios raw = before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 0;
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped process would leave the terminal raw
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return FailErrno(errno, "set up the terminal");
  struct sigaction action{};
  action.sa_handler = [](int) { resized = 1; };
  ::sigaction(SIGWINCH, &action, nullptr);  // without SA_RESTART, so that it ends a poll
  Put("\033[?1049h\033[?25l\033[2J");
  return Screen(before);
}

Screen::Screen(Screen&& other) noexcept
    : before_(other.before_), open_(std::exchange(other.open_, false)) {}

Screen::~Screen() {
  if (!open_) return;
  Put("\033[0m\033[?25h\033[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

Screen::Size Screen::size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return {};
  return {size.ws_col, size.ws_row};
}

void Screen::Draw(const std::vector<std::string>& lines) const {
  std::string text = "\033[H";
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += lines[i] + "\033[K" + (i + 1 < lines.size() ? "\r\n" : "");
  text += "\033[J";
  Put(text);
}

Screen::Wake Screen::Wait(MonoTime deadline, const CancelToken& cancel) const {
  while (true) {
    if (cancel.raised()) return Wake::kQuit;
    if (resized) {
      resized = 0;
      return Wake::kResized;
    }
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now()).count();
    if (left <= 0) return Wake::kTime;
    std::array<pollfd, 2> ready = {{{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                                    {.fd = cancel.fd(), .events = POLLIN, .revents = 0}}};
    if (::poll(ready.data(), ready.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000))) <
        0)
      continue;
    if (ready[0].revents == 0) continue;
    std::array<char, 64> keys;
    const ssize_t n = ::read(STDIN_FILENO, keys.data(), keys.size());
    if (n <= 0) return Wake::kQuit;  // the terminal is gone
    const std::string_view pressed(keys.data(), static_cast<std::size_t>(n));
    return pressed.find_first_of("qQ\x03") != std::string_view::npos ? Wake::kQuit : Wake::kKey;
  }
}

}  // namespace headroom::cli
