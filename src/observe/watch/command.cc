#include "observe/watch/command.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace headroom::watch {

Result<Command> Command::Start(const std::vector<std::string>& argv) {
  if (argv.empty()) return Fail(Errc::kInvalid, "no command to run");
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);

  // What we ignore or catch is the command's own business again.
  sigset_t defaults, none;
  sigemptyset(&defaults), sigemptyset(&none);
  for (const int signal : {SIGPIPE, SIGINT, SIGQUIT, SIGTERM}) sigaddset(&defaults, signal);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, words[0], nullptr, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) return FailErrno(failed, "run {}", argv[0]);
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return FailErrno(errno, "watch {}", argv[0]);
  return Command(pid, std::move(pidfd));
}

Result<std::optional<Exit>> Command::WaitUntil(MonoTime deadline) {
  while (!exit_) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now());
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    const int n =
        ::poll(&ended, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30)));
    if (n < 0 && errno != EINTR) return FailErrno(errno, "wait for the command");
    if (n < 0) return std::optional<Exit>();  // a signal: the caller looks what it was
    if (n == 0) return std::optional<Exit>();
    int status = 0;
    rusage usage{};
    if (::wait4(pid_, &status, 0, &usage) != pid_) {
      if (errno == EINTR) continue;
      return FailErrno(errno, "wait for the command");
    }
    exit_ = WIFSIGNALED(status) ? Exit{.code = 0, .signal = WTERMSIG(status)}
                                : Exit{.code = WEXITSTATUS(status), .signal = 0};
    most_rss_ = KiB(usage.ru_maxrss);
  }
  return exit_;
}

void Command::Signal(int signal) const {
  if (!exit_) ::kill(pid_, signal);
}

}  // namespace headroom::watch
