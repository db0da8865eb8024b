#include "app/cli/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <new>

#include "base/cancel.h"
#include "base/text.h"

namespace headroom::cli {
namespace {

constexpr Milliseconds kRedrawEvery{100};
Progress* current = nullptr;  // the line on the screen, if any

int TerminalWidth() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

std::string TimeLeft(double seconds) {
  const auto s = std::lround(seconds);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02} left", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02} left", s / 60, s % 60);
}

}  // namespace

int Complain(const Error& error) {
  Note(error.what);
  return ExitCodeFor(error.code);
}

int Guarded(const std::function<int()>& action) {
  try {
    return action();
  } catch (const std::bad_alloc&) {
    return Complain({Errc::kNoMemory, "out of memory"});
  } catch (const std::exception& error) {
    return Complain({Errc::kInternal, error.what()});
  }
}

void Note(std::string_view line) {
  if (current) current->Clear();
  std::string safe = Printable(line);
  std::replace(safe.begin(), safe.end(), '\n', ' ');
  fmt::print(stderr, "headroom: {}\n", safe);
}

std::string CountOf(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string_view FitTerminal(std::string_view line) {
  // Counts code points: a line that wraps could not be rewritten.
  int room = TerminalWidth() - 1;
  std::size_t end = 0;
  while (end < line.size() && room > 0) {
    do ++end;
    while (end < line.size() && (line[end] & 0xC0) == 0x80);
    --room;
  }
  return line.substr(0, end);
}

Progress::Progress(std::string label, const Clock& clock)
    : label_(std::move(label)), clock_(clock), on_terminal_(::isatty(STDERR_FILENO) == 1) {
  current = this;
}

Progress::~Progress() {
  Clear();
  current = nullptr;
}

void Progress::Show(std::optional<double> fraction, std::string_view detail) {
  if (!on_terminal_) return;
  const MonoTime now = clock_.Now();
  if (!started_) started_ = now;
  const bool finished = fraction && *fraction >= 1;
  if (shown_ && !finished && now - last_ < kRedrawEvery) return;
  last_ = now;

  constexpr int kCells = 24;
  std::string line = label_ + " ";
  if (fraction) {
    const double part = std::clamp(*fraction, 0.0, 1.0);
    const int full = static_cast<int>(part * kCells);
    for (int i = 0; i < kCells; ++i) line += i < full ? "━" : "╌";
    line += fmt::format(" {:3.0f} %", part * 100);
    const double elapsed = std::chrono::duration<double>(now - *started_).count();
    if (part > 0.01 && part < 1 && elapsed > 1)
      line += "  " + TimeLeft(elapsed / part * (1 - part));
  }
  line += fmt::format("  {}", Printable(detail));

  fmt::print(stderr, "\r\033[K{}", FitTerminal(line));
  std::fflush(stderr);
  shown_ = true;
}

void Progress::Clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
}

CancelToken& InterruptToken() {
  static CancelToken token;
  static const bool installed = [] {
    struct sigaction action{};
    action.sa_handler = [](int signal) {
      if (token.raised()) ::_exit(128 + signal);
      token.Raise();
    };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  (void)installed;
  return token;
}

}  // namespace headroom::cli
