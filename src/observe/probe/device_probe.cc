#include "observe/probe/device_probe.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/dirs.h"

namespace headroom::probe {
namespace {

// A process that has closed its socket, or was killed, is gone within this, if it ever is.
constexpr Milliseconds kDeathIsNoticed{100};

Milliseconds Between(MonoTime from, MonoTime to) {
  return std::chrono::duration_cast<Milliseconds>(to - from);
}

}  // namespace

std::string_view Name(ProbeState state) {
  switch (state) {
    case ProbeState::kFresh:
      return "fresh";
    case ProbeState::kLate:
      return "late";
    case ProbeState::kDown:
      return "down";
  }
  return "down";
}

DeviceProbe::DeviceProbe(DeviceProbeOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), back_off_(options_.restart_after) {}

DeviceProbe::~DeviceProbe() {
  if (child_) End({});
  if (!dying_) return;
  const auto exit = dying_->WaitUntil(SystemClock().Now() + kDeathIsNoticed);
  // One that is stuck in the kernel cannot be reaped now, and ~Child would wait for it: it is left
  // to init, with the few bytes that describe it.
  if (!exit || !*exit) [[maybe_unused]]
    Child* left = dying_.release();
}

DeviceReport DeviceProbe::Ask(std::span<const pid_t> ours, bool rest) {
  const auto down = [&](std::string why) {
    return Report(ProbeState::kDown, Milliseconds(0), std::move(why));
  };
  if (!child_) {
    if (!Reaped()) return down(trouble_ + "; the kernel has not yet ended it");
    if (clock_.Now() < next_start_) return down(trouble_);
    if (auto started = Start(); !started) {
      End(std::move(started.error()));
      return down(trouble_);
    }
  }
  if (!sent_) {
    if (auto sent = Send(ours, rest); !sent) {
      End(std::move(sent.error()));
      return down(trouble_);
    }
  }
  auto answer = Await(*sent_ + options_.deadline);
  if (!answer) {
    End(std::move(answer.error()));
    return down(trouble_);
  }
  const Milliseconds waited = Between(*sent_, clock_.Now());
  if (!*answer) {
    const auto patience = answers_ == 0 ? options_.first_hung_after : options_.hung_after;
    if (waited < patience) return Report(ProbeState::kLate, waited, "the probe is late");
    End({Errc::kTimeout,
         fmt::format("the probe did not answer for {} ms and was ended", waited.count())});
    return down(trouble_);
  }
  sent_.reset();
  if (++answers_ >= kSettled) back_off_ = options_.restart_after;
  devices_ = std::move((*answer)->devices);
  measured_at_ = clock_.Now();
  const bool late = waited > options_.deadline;
  return Report(late ? ProbeState::kLate : ProbeState::kFresh, waited,
                late ? "the probe answered late" : "");
}

DeviceReport DeviceProbe::Report(ProbeState state, Milliseconds waiting,
                                 std::string trouble) const {
  return {state, devices_, measured_at_, waiting, std::move(trouble)};
}

Result<> DeviceProbe::Start() {
  std::string program = options_.program;
  if (program.find('/') == std::string::npos) {
    TRY_ASSIGN(const auto found, FindProgram(program));
    program = found;
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return FailErrno(errno, "make a socket pair");
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  std::vector<std::string> argv = {program};
  argv.insert(argv.end(), options_.arguments.begin(), options_.arguments.end());
  TRY_ASSIGN(Child child,
             Child::Spawn({.argv = std::move(argv),
                           .fds = {{STDIN_FILENO, theirs.get()}, {STDOUT_FILENO, theirs.get()}},
                           .environment = options_.environment}));
  child_ = std::make_unique<Child>(std::move(child));
  socket_ = std::move(ours);
  ++starts_;
  return {};
}

Result<> DeviceProbe::Send(std::span<const pid_t> ours, bool rest) {
  Request request{.seq = ++seq_, .rest = rest, .ours = {}};
  request.ours.assign(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(
                                                       std::min(ours.size(), kMostProcesses)));
  const std::string line = FormatRequest(request) + "\n";
  // Only one request is ever under way, so the socket is empty and takes the line at once.
  const ssize_t n = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 || static_cast<std::size_t>(n) != line.size())
    return FailErrno(n < 0 ? errno : EAGAIN, "ask the probe");
  sent_ = clock_.Now();
  return {};
}

Result<std::optional<Answer>> DeviceProbe::Await(MonoTime deadline) {
  while (true) {
    if (const std::size_t end = input_.find('\n'); end != std::string::npos) {
      TRY_ASSIGN(Answer answer, ParseAnswer(std::string_view(input_).substr(0, end)));
      input_.erase(0, end + 1);
      if (answer.seq != seq_ || !input_.empty())
        return Fail(Errc::kProtocol, "the probe answered a question that was not asked");
      return std::optional(std::move(answer));
    }
    TRY_ASSIGN(const bool received, Receive());
    if (received) continue;
    const auto left = std::chrono::ceil<Milliseconds>(deadline - clock_.Now());
    if (left.count() <= 0) return std::optional<Answer>();
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const int timeout = static_cast<int>(std::min<std::int64_t>(left.count(), 60'000));
    if (::poll(&readable, 1, timeout) < 0 && errno != EINTR)
      return FailErrno(errno, "wait for the probe");
  }
}

Result<bool> DeviceProbe::Receive() {
  std::array<char, 16384> block;
  ssize_t n = -1;
  do n = ::recv(socket_.get(), block.data(), block.size(), MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) return Fail(Errc::kWorkerLost, "the probe has ended");
  input_.append(block.data(), static_cast<std::size_t>(n));
  if (input_.size() > kMostLine) return Fail(Errc::kProtocol, "the probe answered too much");
  return true;
}

void DeviceProbe::End(Error why) {
  if (child_) {
    // Only a process that has closed its end by itself is on its way out already.
    const bool leaving = why.code == Errc::kWorkerLost;
    const MonoTime until = SystemClock().Now() + (leaving ? kDeathIsNoticed : Milliseconds(0));
    const auto exit = child_->WaitUntil(until);
    if (exit && *exit) {
      why.what += ": it " + Describe(**exit);
    } else {
      child_->Signal(SIGKILL);
      dying_ = std::move(child_);
    }
  }
  child_.reset();
  socket_.Reset();
  input_.clear();
  sent_.reset();
  answers_ = 0;
  trouble_ = std::move(why.what);
  next_start_ = clock_.Now() + back_off_;
  back_off_ = std::min(back_off_ * 2, options_.restart_at_most);
}

bool DeviceProbe::Reaped() {
  if (!dying_) return true;
  const auto exit = dying_->WaitUntil(SystemClock().Now());
  if (exit && !*exit) return false;
  dying_.reset();
  return true;
}

}  // namespace headroom::probe
