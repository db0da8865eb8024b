#include "asr/client/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/dirs.h"
#include "base/fd_passing.h"
#include "base/text.h"
#include "observe/probe/run_delay.h"

namespace headroom::asr {
namespace {

using nlohmann::json;

constexpr int kChannelFd = 3;             // where the worker finds its end
constexpr std::size_t kLastWords = 4096;  // bytes of stderr kept for the error message
constexpr Milliseconds kDeathIsNoticed{500};
constexpr int kMostPatience = 10;  // times a deadline, however crowded the machine is

MonoTime After(Milliseconds within) {
  return SystemClock().Now() + within;
}

int PollTimeout(MonoTime deadline) {
  const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

}  // namespace

Worker::Worker(Child child, Channel&& channel, Fd words)
    : child_(std::move(child)), channel_(std::move(channel)), words_(std::move(words)) {}

Result<std::unique_ptr<Worker>> Worker::Spawn(const WorkerOptions& options) {
  std::string program = options.program;
  if (program.find('/') == std::string::npos) {
    TRY_ASSIGN(const auto found, FindProgram(program));
    program = found;
  }
  TRY_ASSIGN(MessageSockets ends, MakeMessageSockets());
  TRY_ASSIGN(Pipe words, MakePipe());
  // A worker that complains without end must not block on a pipe that is not read just now.
  ::fcntl(words.write.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(words.read.get(), F_SETFL, O_NONBLOCK);
  TRY_ASSIGN(
      Child child,
      Child::Spawn({.argv = {program},
                    .fds = {{kChannelFd, ends.theirs.get()}, {STDERR_FILENO, words.write.get()}},
                    .environment = {}}));
  std::unique_ptr<Worker> worker(
      new Worker(std::move(child), Channel(std::move(ends.ours)), std::move(words.read)));
  ends.theirs.Reset();
  words.write.Reset();

  auto first = worker->AwaitMessage(After(options.start_within), nullptr);
  if (!first) return Fail(worker->Lost(std::move(first.error())).Within("start " + program));
  auto hello = ParseHello(first->body);
  if (!hello) return Fail(worker->Lost(std::move(hello.error())).Within("start " + program));
  if (hello->version != kProtocolVersion) {
    worker->Lost({});
    return Fail(Errc::kProtocol,
                "{} speaks protocol version {}, this program {}; both must come from one "
                "installation",
                program, hello->version, kProtocolVersion);
  }
  worker->hello_ = std::move(*hello);
  return worker;
}

Worker::~Worker() {
  if (alive_) (void)Stop(Milliseconds(200));
}

Result<ModelTraits> Worker::Load(const LoadRequest& request, Milliseconds within,
                                 CancelToken* cancel) {
  TRY_ASSIGN(const json reply, Ask("load", ToJson(request), {}, within, cancel));
  auto traits = ParseModelTraits(reply);
  if (!traits) return Fail(Lost(std::move(traits.error())));
  return traits;
}

Result<RunResult> Worker::Run(const RecognitionOptions& options, std::span<const float> samples,
                              Milliseconds within, CancelToken* cancel) {
  if (samples.empty() || samples.size() > kMaxRunSamples)
    return Fail(Errc::kInvalid, "{} samples in one run", samples.size());
  TRY_ASSIGN(const Fd audio, MakeSealedMemory("headroom-audio", std::as_bytes(samples)));
  const int fds[] = {audio.get()};
  TRY_ASSIGN(const json reply, Ask("run", ToJson(options), fds, within, cancel));
  auto result = ParseRunResult(reply);
  if (!result) return Fail(Lost(std::move(result.error())));
  return result;
}

Result<BatchResult> Worker::RunBatch(const RecognitionOptions& options,
                                     std::span<const std::span<const float>> clips,
                                     Milliseconds within, CancelToken* cancel) {
  BatchRequest batch{.options = options, .clips = {}};
  std::vector<float> samples;
  for (const std::span<const float> clip : clips) {
    if (clip.empty()) return Fail(Errc::kInvalid, "a clip without samples");
    batch.clips.push_back(clip.size());
    samples.insert(samples.end(), clip.begin(), clip.end());
  }
  if (clips.empty() || clips.size() > kMaxBatch || samples.size() > kMaxRunSamples)
    return Fail(Errc::kInvalid, "{} clips with {} samples in one run", clips.size(),
                samples.size());
  TRY_ASSIGN(const Fd audio,
             MakeSealedMemory("headroom-audio", std::as_bytes(std::span<const float>(samples))));
  const int fds[] = {audio.get()};
  TRY_ASSIGN(const json reply, Ask("batch", ToJson(batch), fds, within, cancel));
  auto results = ParseBatchResult(reply);
  if (results && results->size() != clips.size())
    results = Fail(Errc::kProtocol, "{} results for {} clips", results->size(), clips.size());
  if (!results) return Fail(Lost(std::move(results.error())));
  return results;
}

Result<PlanResult> Worker::Plan(const PlanRequest& request, Milliseconds within) {
  TRY_ASSIGN(const json reply, Ask("plan", ToJson(request), {}, within, nullptr));
  auto plan = ParsePlanResult(reply);
  if (!plan) return Fail(Lost(std::move(plan.error())));
  return plan;
}

Result<WorkerStats> Worker::Stats(Milliseconds within) {
  TRY_ASSIGN(const json reply, Ask("stats", json::object(), {}, within, nullptr));
  auto stats = ParseWorkerStats(reply);
  if (!stats) return Fail(Lost(std::move(stats.error())));
  return stats;
}

Result<Exit> Worker::Stop(Milliseconds within) {
  if (alive_) {
    alive_ = false;
    (void)channel_.Send({{"op", "exit"}}, {}, After(within));
    TRY_ASSIGN(const auto exit, child_.WaitUntil(After(within)));
    if (!exit) child_.Kill();
  }
  return child_.Wait();
}

Result<json> Worker::Ask(const char* operation, json arguments, std::span<const int> fds,
                         Milliseconds within, CancelToken* cancel) {
  if (!alive_) return Fail(Errc::kWorkerLost, "the worker has ended");
  ReadLastWords();
  last_words_.clear();
  if (cancel && cancel->raised()) return Fail(Errc::kCancelled, "cancelled");
  const MonoTime began = SystemClock().Now();
  const Milliseconds starved = probe::RunDelay(child_.pid());
  const std::int64_t id = next_id_++;
  arguments["op"] = operation;
  arguments["id"] = id;
  if (auto sent = channel_.Send(arguments, fds, began + within); !sent)
    return Fail(Lost(sent.error()));
  return AwaitReply(id, {.began = began, .within = within, .starved = starved}, cancel);
}

// On a crowded machine it is not the worker that hangs.
MonoTime Worker::Fair(const Patience& patience) const {
  const Milliseconds starved =
      std::max(Milliseconds(0), probe::RunDelay(child_.pid()) - patience.starved);
  return patience.began + std::min(patience.within + starved, kMostPatience * patience.within);
}

Result<json> Worker::AwaitReply(std::int64_t id, const Patience& patience, CancelToken* cancel) {
  bool cancelling = false;
  MonoTime deadline = patience.began + patience.within;
  while (true) {
    auto message = AwaitMessage(deadline, cancelling ? nullptr : cancel);
    if (!message && message.error().code == Errc::kCancelled) {
      cancelling = true;
      deadline = std::min(deadline, After(kCancelWithin));
      (void)channel_.Send({{"op", "cancel"}, {"id", id}}, {}, deadline);
      continue;
    }
    if (!message && message.error().code == Errc::kTimeout && !cancelling) {
      deadline = Fair(patience);
      if (deadline > SystemClock().Now()) continue;
    }
    if (!message) {
      Error error = Lost(std::move(message.error()));
      if (cancelling) return Fail(Errc::kCancelled, "cancelled; the worker was ended");
      return Fail(std::move(error));
    }
    const json& body = message->body;
    if (!body.contains("id") || body["id"] != id)
      return Fail(Lost({Errc::kProtocol, "the worker sent a reply without a request"}));
    if (body.contains("error")) {
      Error error = ParseError(body["error"]);
      if (error.code == Errc::kProtocol) return Fail(Lost(std::move(error)));
      return Fail(std::move(error));
    }
    // A run that ended just before the cancel arrived is as good as cancelled.
    if (cancelling) return Fail(Errc::kCancelled, "cancelled");
    if (!body.contains("ok"))
      return Fail(Lost({Errc::kProtocol, "a reply that is neither ok nor an error"}));
    return body["ok"];
  }
}

Result<Message> Worker::AwaitMessage(MonoTime deadline, CancelToken* cancel) {
  while (true) {
    TRY_ASSIGN(auto message, channel_.TryReceive());
    if (message) return std::move(*message);
    if (cancel && cancel->raised()) return Fail(Errc::kCancelled, "cancelled");
    std::array<pollfd, 3> watched = {
        pollfd{.fd = channel_.fd(), .events = POLLIN, .revents = 0},
        pollfd{.fd = words_.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = cancel ? cancel->fd() : -1, .events = POLLIN, .revents = 0}};
    const int n = ::poll(watched.data(), watched.size(), PollTimeout(deadline));
    if (n < 0 && errno != EINTR) return FailErrno(errno, "wait for the worker");
    if (n > 0 && watched[1].revents) ReadLastWords();
    if (n == 0 && SystemClock().Now() >= deadline)
      return Fail(Errc::kTimeout, "the worker did not answer in time");
  }
}

Error Worker::Lost(Error error) {
  alive_ = false;
  // Its end of the socket closes a moment before the process is gone: let it say how it ended.
  if (error.code == Errc::kWorkerLost) (void)child_.WaitUntil(After(kDeathIsNoticed));
  child_.Kill();
  ReadLastWords();
  if (error.code == Errc::kWorkerLost) {
    if (auto exit = child_.Wait()) error.what = "the worker " + Describe(*exit);
  }
  const std::string words(Trim(Printable(last_words_)));
  if (!words.empty()) {
    const std::size_t line = words.rfind('\n');
    error.what += "; its last words: " + words.substr(line == std::string::npos ? 0 : line + 1);
  }
  return error;
}

void Worker::ReadLastWords() {
  std::array<std::byte, 1024> block;
  while (words_) {
    const ssize_t n = ::read(words_.get(), block.data(), block.size());
    if (n == 0) words_.Reset();  // it has no writer any more
    if (n <= 0) return;
    last_words_.append(reinterpret_cast<const char*>(block.data()), static_cast<std::size_t>(n));
    if (last_words_.size() > kLastWords) last_words_.erase(0, last_words_.size() - kLastWords);
  }
}

Milliseconds RunDeadline(Milliseconds audio, double seconds_per_second) {
  constexpr double kUncalibrated =
      6;  // a slow CPU with a large model, before the first measurement
  constexpr double kPatience = 5;
  const double rate = seconds_per_second > 0 ? seconds_per_second : kUncalibrated;
  const double needed = std::chrono::duration<double>(audio).count() * rate * kPatience;
  return std::max(Milliseconds(10'000), Milliseconds(static_cast<std::int64_t>(needed * 1000)));
}

Milliseconds LoadDeadline(const std::filesystem::path& model) {
  constexpr Milliseconds kAtLeast{60'000};
  constexpr double kSlowestDisk = 20e6;
  std::error_code none;
  const auto bytes = std::filesystem::file_size(model, none);
  if (none) return kAtLeast;
  return kAtLeast +
         Milliseconds(static_cast<std::int64_t>(static_cast<double>(bytes) / kSlowestDisk * 1000));
}

}  // namespace headroom::asr
