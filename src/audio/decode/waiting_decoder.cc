#include "audio/decode/waiting_decoder.h"

#include <fcntl.h>

#include <utility>
#include <vector>

#include "base/dirs.h"
#include "base/fd_passing.h"

namespace headroom::audio {
namespace {

constexpr int kPcmPipeBytes = 256 << 10;

// `argument` may be null; `own` are the descriptors besides those of sound and status.
Result<Decoder> Spawn(const char* argument, std::vector<std::pair<int, int>> own) {
  TRY_ASSIGN(const std::filesystem::path program, FindProgram("headroom-decode"));
  TRY_ASSIGN(Pipe pcm, MakePipe());
  TRY_ASSIGN(Pipe status, MakePipe());
  ::fcntl(pcm.write.get(), F_SETPIPE_SZ, kPcmPipeBytes);  // only speed: a refusal does not matter
  ChildOptions options{.argv = {program.string()}, .fds = std::move(own), .environment = {}};
  if (argument) options.argv.emplace_back(argument);
  options.fds.emplace_back(1, pcm.write.get());
  options.fds.emplace_back(3, status.write.get());
  // Our copies of the write ends go with this scope, or the child's end would never be seen as the
  // end of its pipes.
  TRY_ASSIGN(Child child, Child::Spawn(options));
  return Decoder{std::move(child), std::move(pcm.read), std::move(status.read)};
}

}  // namespace

Result<Decoder> StartDecoder(int input) {
  return Spawn(nullptr, {{0, input}});
}

Result<WaitingDecoder::Waiting> WaitingDecoder::Start(MonoTime now) {
  TRY_ASSIGN(MessageSockets sockets, MakeMessageSockets());
  TRY_ASSIGN(Decoder decoder, Spawn("--wait", {{0, sockets.theirs.get()}}));
  return Waiting{std::move(decoder), std::move(sockets.ours), now};
}

void WaitingDecoder::Prepare() {
  const MutexLock lock(mutex_);
  if (waiting_) return;
  if (auto started = Start(clock_.Now())) waiting_ = std::move(*started);
}

std::optional<Decoder> WaitingDecoder::Take(int input) {
  std::optional<Waiting> taken;
  {
    const MutexLock lock(mutex_);
    taken = std::exchange(waiting_, std::nullopt);
  }
  if (!taken || !SendFd(taken->call.get(), input)) return std::nullopt;
  return std::move(taken->decoder);
}

void WaitingDecoder::DropAfter(Milliseconds unused) {
  std::optional<Waiting> dropped;
  const MutexLock lock(mutex_);
  if (waiting_ && clock_.Now() - waiting_->since >= unused)
    dropped = std::exchange(waiting_, std::nullopt);
}

pid_t WaitingDecoder::pid() const {
  const MutexLock lock(mutex_);
  return waiting_ ? waiting_->decoder.child.pid() : 0;
}

}  // namespace headroom::audio
