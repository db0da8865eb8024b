// The calls that an attacker inside the decoder would want, made on purpose.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "audio/decode/decode_sandbox.h"
#include "base/fd.h"

namespace headroom::audio {
namespace {

int Execute() {
  const char* argv[] = {"/bin/true", nullptr};
  return ::execve(argv[0], const_cast<char**>(argv), nullptr);
}

long Fork() {
  const long pid = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) ::_exit(0);
  return pid;
}

// mmap gives MAP_FAILED, which is -1 as a number too.
long MapCode() {
  return reinterpret_cast<long>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

long MakeCode() {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return -1;
  return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

// The filter is asked before the kernel looks at the descriptor, so EPERM and not EBADF shows it.
bool Refused(long result) {
  return result < 0 && (errno == EPERM || errno == EACCES);
}

struct Attempt {
  const char* name;
  long (*make)();
};

constexpr Attempt kAttempts[] = {
    {"open /etc/passwd", [] { return long{::open("/etc/passwd", O_RDONLY)}; }},
#ifdef SYS_open  // not on newer architectures
    {"open by the old call", [] { return ::syscall(SYS_open, "/etc/passwd", O_RDONLY); }},
#endif
    {"create a file",
     [] { return long{::open("/tmp/headroom-selftest", O_CREAT | O_RDWR, 0600)}; }},
    {"stat a path",
     [] {
       struct stat info{};
       return long{::stat("/etc/passwd", &info)};
     }},
    {"list the root", [] { return ::syscall(SYS_openat, AT_FDCWD, "/", O_DIRECTORY); }},
    {"unlink", [] { return long{::unlink("/tmp/headroom-selftest")}; }},
    {"socket AF_INET", [] { return long{::socket(AF_INET, SOCK_STREAM, 0)}; }},
    {"socket AF_UNIX", [] { return long{::socket(AF_UNIX, SOCK_STREAM, 0)}; }},
    {"connect", [] { return long{::connect(0, nullptr, 0)}; }},
    {"execve", [] { return long{Execute()}; }},
    {"fork", [] { return Fork(); }},
    {"kill the parent", [] { return long{::kill(1, 0)}; }},
    {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
    {"map code", [] { return MapCode(); }},
    {"make memory executable", [] { return MakeCode(); }},
    {"map the input",
     [] { return reinterpret_cast<long>(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, 0, 0)); }},
    {"memfd", [] { return long{::memfd_create("x", 0)}; }},
    {"io_uring",
     [] {
       io_uring_params params{};
       return ::syscall(SYS_io_uring_setup, 1, &params);
     }},
    {"read another descriptor",
     [] {
       char c = 0;
       return long{::read(9, &c, 1)};
     }},
    {"write to the input", [] { return long{::write(0, "", 0)}; }},
    {"duplicate a descriptor", [] { return long{::dup(0)}; }},
    {"send a descriptor", [] { return long{::sendmsg(1, nullptr, 0)}; }},
    {"become dumpable", [] { return long{::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)}; }},
    {"raise a limit",
     [] {
       const rlimit more{.rlim_cur = 64, .rlim_max = 64};
       return long{::setrlimit(RLIMIT_NOFILE, &more)};
     }},
};

}  // namespace

int TestSandbox() {
  int allowed = 0;
  std::string lines;
  for (const Attempt& attempt : kAttempts) {
    const bool refused = Refused(attempt.make());
    allowed += refused ? 0 : 1;
    lines += std::string(refused ? "refused " : "ALLOWED ") + attempt.name + "\n";
  }
  const auto written = WriteAll(STDOUT_FILENO, lines);
  return written ? allowed : -1;
}

}  // namespace headroom::audio
