// headroom yield -- COMMAND: has the service leave the GPU while the command runs.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/exit_code.h"
#include "app/cli/terminal.h"
#include "asr/client/device_lock.h"
#include "base/cancel.h"
#include "base/mutex.h"

namespace headroom::cli {
namespace {

struct Options {
  std::string socket;
  std::vector<std::string> command;
};

// The service leaves the GPU within half a second. A slower one does not keep a game from starting.
constexpr Milliseconds kLeavesWithin{5'000};
constexpr int kNotRun = 127;

// Keeps the daemon off the GPU until destroyed.
class DaemonYield {
 public:
  DaemonYield(const std::string& socket, const std::string& who)
      : thread_([this, client = Daemon(socket), who] {
          const auto on_event = [this](std::string_view name, const nlohmann::json&) {
            if (name == "yielded") Say({});
            return true;
          };
          Result<> over = client.Follow("POST", "/v1/yield", on_event, &cancel_, {{"who", who}});
          Say(over ? Result<>() : std::move(over));
        }) {}
  ~DaemonYield() {
    cancel_.Raise();
    thread_.join();
  }

  /// Returns when the daemon has left the GPU. kNotFound: no daemon is running.
  Result<> Await() {
    const MutexLock lock(mutex_);
    if (!said_.WaitFor(mutex_, kLeavesWithin,
                       [&]() REQUIRES(mutex_) { return answer_.has_value(); }))
      return Fail(Errc::kTimeout, "the service did not leave the GPU within {} s",
                  kLeavesWithin.count() / 1000);
    return *answer_;
  }

 private:
  void Say(Result<> answer) {
    const MutexLock lock(mutex_);
    if (!answer_) answer_ = std::move(answer);
    said_.NotifyAll();
  }

  CancelToken cancel_;
  Mutex mutex_;
  CondVar said_;
  std::optional<Result<>> answer_ GUARDED_BY(mutex_);
  std::thread thread_;
};

// Without a daemon, the locks keep other headroom commands off the GPUs.
std::vector<FileLock> LockGpus() {
  std::vector<FileLock> locks;
  for (const std::string& gpu : asr::GpusForLocks()) {
    auto lock = asr::TryDeviceLock(gpu);
    if (lock)
      locks.push_back(std::move(*lock));
    else if (lock.error().code == Errc::kBusy)
      Note(lock.error().what + "; it leaves the GPU when it is done");
  }
  return locks;
}

// The command stays in this process group, so that it can read from the terminal and gets Ctrl-C.
int RunCommand(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGQUIT, SIGPIPE}) sigaddset(&defaults, signal);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  pid_t pid = -1;
  const int err = ::posix_spawnp(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (err != 0) {
    Complain(Errno(err, fmt::format("start {}", command[0])));
    return kNotRun;
  }
  static pid_t running;
  running = pid;
  ::signal(SIGTERM, [](int signal) { ::kill(running, signal); });
  ::signal(SIGHUP, [](int signal) { ::kill(running, signal); });
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int Run(const Options& options) {
  const std::string who = std::filesystem::path(options.command[0]).filename();
  DaemonYield daemon(options.socket, who);
  std::vector<FileLock> locks;
  if (const Result<> left = daemon.Await(); !left) {
    if (left.error().code != Errc::kNotFound) Note(left.error().what);
    locks = LockGpus();
  }
  return RunCommand(options.command);
}

}  // namespace

void AddYield(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser command = app.Add("yield", "Leave the GPU while a command runs: headroom yield -- GAME");
  AddSocketOption(command, options->socket);
  command.AddOption("COMMAND", options->command, "Command and its arguments").Required();
  command.PositionalsAtEnd();
  command.Footer(
      "Returns the command's exit code. The command runs even if the service does not leave.");
  command.OnChosen([options, &chosen] { chosen = [options] { return Run(*options); }; });
}

}  // namespace headroom::cli
