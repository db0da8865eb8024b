#include "base/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace headroom {
namespace {

int PidfdOpen(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

Exit FromStatus(int status) {
  if (WIFSIGNALED(status)) return {.code = 0, .signal = WTERMSIG(status)};
  return {.code = WEXITSTATUS(status), .signal = 0};
}

// Between fork and exec only async-signal-safe calls are allowed: the parent may have threads.
[[noreturn]] void Become(const std::vector<char*>& argv, char** environment,
                         std::vector<std::pair<int, int>>& fds, int report) {
  const auto fail = [report] {
    const int err = errno;
    [[maybe_unused]] const ssize_t ignored = ::write(report, &err, sizeof err);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // Sources are first moved out of the way of all targets, so no dup2 overwrites a later source.
  for (auto& [target, source] : fds) {
    source = ::fcntl(source, F_DUPFD_CLOEXEC, 64);
    if (source < 0) fail();
  }
  // What we inherited ourselves without close-on-exec must not reach a sandboxed child.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const auto& [target, source] : fds) {
    if (::dup2(source, target) < 0) fail();
  }
  ::execvpe(argv[0], argv.data(), environment);
  fail();
  ::_exit(127);
}

}  // namespace

std::string Describe(const Exit& exit) {
  if (exit.signal == 0) return fmt::format("exited with {}", exit.code);
  return fmt::format("was killed by signal {} ({})", exit.signal, ::sigdescr_np(exit.signal));
}

Result<Child> Child::Spawn(const ChildOptions& options) {
  if (options.argv.empty()) return Fail(Errc::kInvalid, "no program to start");
  std::vector<char*> argv;
  for (const std::string& word : options.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  std::vector<std::string> added;
  for (const auto& [name, value] : options.environment) added.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (char** have = environ; *have; ++have) {
    const std::string_view entry = *have;
    const bool replaced =
        std::any_of(options.environment.begin(), options.environment.end(),
                    [&](const auto& pair) { return entry.starts_with(pair.first + "="); });
    if (!replaced) environment.push_back(*have);
  }
  for (std::string& entry : added) environment.push_back(entry.data());
  environment.push_back(nullptr);

  TRY_ASSIGN(const Fd nowhere, Open("/dev/null", O_RDWR));
  std::vector<std::pair<int, int>> fds = options.fds;
  for (const int standard : {0, 1}) {
    if (std::none_of(fds.begin(), fds.end(), [&](auto& fd) { return fd.first == standard; }))
      fds.emplace_back(standard, nowhere.get());
  }

  TRY_ASSIGN(Pipe report, MakePipe());
  const pid_t pid = ::fork();
  if (pid < 0) return FailErrno(errno, "start {}", options.argv[0]);
  if (pid == 0) Become(argv, environment.data(), fds, report.write.get());

  report.write.Reset();
  int err = 0;
  auto n = ReadFull(report.read.get(), std::as_writable_bytes(std::span(&err, 1)));
  if (n && *n == sizeof err) {
    ::waitpid(pid, nullptr, 0);
    return FailErrno(err, "start {}", options.argv[0]);
  }
  Fd pidfd(PidfdOpen(pid));
  if (!pidfd) {
    const int why = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return FailErrno(why, "watch {}", options.argv[0]);
  }
  return Child(pid, std::move(pidfd));
}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  Kill();
  pid_ = other.pid_;
  pidfd_ = std::move(other.pidfd_);
  exit_ = other.exit_;
  return *this;
}

Result<std::optional<Exit>> Child::WaitUntil(MonoTime deadline, const Clock& clock) {
  while (!exit_) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - clock.Now());
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
    const int n = ::poll(&ended, 1, timeout);
    if (n < 0 && errno != EINTR) return FailErrno(errno, "wait for a child process");
    if (n > 0) {
      int status = 0;
      if (::waitpid(pid_, &status, 0) == pid_)
        exit_ = FromStatus(status);
      else if (errno != EINTR)
        return FailErrno(errno, "reap a child process");
    } else if (n == 0 && left <= Milliseconds(0)) {
      return std::optional<Exit>();
    }
  }
  return exit_;
}

Result<Exit> Child::Wait() {
  while (true) {
    TRY_ASSIGN(const std::optional<Exit> exit,
               WaitUntil(SystemClock().Now() + std::chrono::hours(1)));
    if (exit) return *exit;
  }
}

void Child::Signal(int signal) const {
  if (pidfd_ && !exit_) ::kill(pid_, signal);
}

void Child::Kill() {
  if (!pidfd_ || exit_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // in case it had not yet made its group
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_ = FromStatus(status);
}

}  // namespace headroom
