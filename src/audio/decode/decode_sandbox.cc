#include "audio/decode/decode_sandbox.h"

#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace headroom::audio {
namespace {

// Under AddressSanitizer terabytes of address space are reserved and never used.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr rlim_t kAddressSpace = rlim_t{1} << 30;

Result<> Limit(__rlimit_resource resource, rlim_t most, const char* name) {
  const rlimit limit{.rlim_cur = most, .rlim_max = most};
  if (::setrlimit(resource, &limit) != 0) return FailErrno(errno, "limit {}", name);
  return {};
}

Result<> SetLimits() {
  if (!kSanitized) TRY(Limit(RLIMIT_AS, kAddressSpace, "memory"));
  TRY(Limit(RLIMIT_CORE, 0, "core dumps"));
  TRY(Limit(RLIMIT_FSIZE, 0, "file size"));
  TRY(Limit(RLIMIT_NOFILE, 0, "open files"));  // those that are open stay open
  TRY(Limit(RLIMIT_MEMLOCK, 0, "locked memory"));
  TRY(Limit(RLIMIT_MSGQUEUE, 0, "message queues"));
  return {};
}

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), ::seccomp_release) {}

  template <class... Conditions>
  void Allow(int call, Conditions... conditions) {
    if (context_ && error_ == 0)
      error_ = -::seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call,
                                   unsigned{sizeof...(conditions)}, conditions...);
  }

  Result<> Load() {
    if (!context_) return Fail(Errc::kNoMemory, "make a system call filter");
    if (error_ == 0) error_ = -::seccomp_load(context_.get());
    if (error_ != 0) return FailErrno(error_, "set the system call filter");
    return {};
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;  // errno of the first rule that failed
};

Result<> FilterSystemCalls() {
  Filter filter;
  const auto fd = [](int is) { return SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(is)); };
  const auto no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

  filter.Allow(SCMP_SYS(read), fd(0));
  filter.Allow(SCMP_SYS(pread64), fd(0));
  for (const int out : {1, 2, 3}) filter.Allow(SCMP_SYS(write), fd(out));
  filter.Allow(SCMP_SYS(writev), fd(2));  // glibc's last words

  filter.Allow(SCMP_SYS(mmap), no_code, SCMP_A4(SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, 0xFFFFFFFF));
  filter.Allow(SCMP_SYS(mprotect), no_code);
  for (const int call : {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise)})
    filter.Allow(call);

  for (const int call :
       {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
        SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom)})
    filter.Allow(call);

  // What abort() needs, so that an assertion is reported as what it is.
  const auto self = SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()));
  filter.Allow(SCMP_SYS(tgkill), self, SCMP_A2(SCMP_CMP_EQ, SIGABRT));
  for (const int call : {SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigprocmask)})
    filter.Allow(call);

  if (kSanitized) {
    for (const int call : {SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigaction)})
      filter.Allow(call);
  }
  return filter.Load();
}

}  // namespace

Result<> EnterSandbox() {
  TRY(SetLimits());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FailErrno(errno, "no new privileges");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return FailErrno(errno, "no dumps");
  return FilterSystemCalls();
}

}  // namespace headroom::audio
