#include "asr/worker/serve.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <vector>

#include "asr/client/channel.h"
#include "audio/format/finite.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/text.h"

namespace headroom::worker {
namespace {

using asr::Channel;
using asr::Message;
using nlohmann::json;

constexpr Milliseconds kReplyWithin{5000};  // a supervisor that does not read for this long is gone

// VmRSS and VmHWM of this process, from /proc/self/status (proc(5)).
asr::WorkerStats MeasureSelf(std::int64_t runs) {
  asr::WorkerStats stats{.rss = Bytes(0), .peak_rss = Bytes(0), .runs = runs};
  const auto status = ReadFile("/proc/self/status");
  if (!status) return stats;
  for (const std::string& line : Split(*status, '\n')) {
    long kib = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %ld kB", &kib) == 1) stats.rss = KiB(kib);
    if (std::sscanf(line.c_str(), "VmHWM: %ld kB", &kib) == 1) stats.peak_rss = KiB(kib);
  }
  return stats;
}

// The audio of a run: the supervisor's memory itself. What is not finite would make an engine abort
// or hang, so samples that should not be there are repaired in a copy.
class RunAudio {
 public:
  static Result<RunAudio> Of(const Message& message) {
    if (message.fds.size() != 1) return Fail(Errc::kProtocol, "a run without its audio");
    TRY_ASSIGN(auto mapping,
               Mapping::OfSealed(message.fds[0].get(), asr::kMaxRunSamples * sizeof(float)));
    const std::size_t bytes = mapping.bytes().size();
    if (bytes == 0 || bytes % sizeof(float) != 0)
      return Fail(Errc::kProtocol, "{} bytes of audio", bytes);
    return RunAudio(std::move(mapping));
  }
  std::span<const float> samples() const {
    return repaired_.empty() ? Mapped() : std::span<const float>(repaired_);
  }

 private:
  explicit RunAudio(Mapping mapping) : mapping_(std::move(mapping)) {
    if (audio::IsFinite(Mapped())) return;
    repaired_.assign(Mapped().begin(), Mapped().end());
    audio::MakeFinite(repaired_);
  }
  // A mapping begins with a page, so its floats are aligned.
  std::span<const float> Mapped() const {
    const auto bytes = mapping_.bytes();
    return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
  }

  Mapping mapping_;
  std::vector<float> repaired_;  // empty: nothing was to be repaired
};

Result<std::vector<std::span<const float>>> ClipsOf(std::span<const float> samples,
                                                    const std::vector<std::size_t>& lengths) {
  std::vector<std::span<const float>> clips;
  for (const std::size_t length : lengths) {
    if (length == 0 || length > samples.size())
      return Fail(Errc::kProtocol, "clips that are not those of the audio");
    clips.push_back(samples.first(length));
    samples = samples.subspan(length);
  }
  if (clips.empty() || clips.size() > asr::kMaxBatch || !samples.empty())
    return Fail(Errc::kProtocol, "clips that are not those of the audio");
  return clips;
}

// One request at a time, handed from the receiving to the computing thread.
class RequestSlot {
 public:
  bool TryPut(Message message) {
    const MutexLock lock(mutex_);
    if (busy_) return false;
    busy_ = true;
    message_ = std::move(message);
    ready_.NotifyOne();
    return true;
  }
  Message Take() {
    const MutexLock lock(mutex_);
    ready_.Wait(mutex_, [this]() REQUIRES(mutex_) { return message_.has_value(); });
    Message message = std::move(*message_);
    message_.reset();
    return message;
  }
  void Done() {
    const MutexLock lock(mutex_);
    busy_ = false;
  }

 private:
  Mutex mutex_;
  CondVar ready_;
  std::optional<Message> message_ GUARDED_BY(mutex_);
  bool busy_ GUARDED_BY(mutex_) = false;  // from TryPut until Done
};

class Server {
 public:
  Server(Engine& engine, Fd socket) : engine_(engine), channel_(std::move(socket)) {}

  int Run() {
    const json hello = ToJson(asr::Hello{.version = asr::kProtocolVersion,
                                         .backend = engine_.Backend(),
                                         .engine = engine_.Version()});
    if (!channel_.Send(hello, {}, SystemClock().Now() + kReplyWithin)) return 1;
    std::thread([this] { Compute(); }).detach();
    while (true) {
      pollfd readable{.fd = channel_.fd(), .events = POLLIN, .revents = 0};
      ::poll(&readable, 1, -1);
      auto message = channel_.TryReceive();
      if (!message) return EndWith(message.error());
      if (!*message) continue;
      const json& body = (*message)->body;
      const std::string op =
          body.value("op", json()).is_string() ? body["op"].get<std::string>() : "";
      if (op == "exit") return 0;
      if (op == "cancel") {
        engine_.Cancel();
      } else if (!slot_.TryPut(std::move(**message))) {
        return EndWith({Errc::kProtocol, "a request while another is being worked on"});
      }
    }
  }

 private:
  static int EndWith(const Error& error) {
    if (error.code == Errc::kWorkerLost) return 0;  // the supervisor has gone: so do we
    fmt::print(stderr, "{}\n", error.what);
    return 1;
  }

  [[noreturn]] void Compute() {
    while (true) {
      const Message message = slot_.Take();
      json reply = {{"id", message.body.value("id", json())}};
      if (auto answer = Answer(message))
        reply["ok"] = std::move(*answer);
      else
        reply["error"] = asr::ToJson(answer.error());
      slot_.Done();
      (void)channel_.Send(reply, {}, SystemClock().Now() + kReplyWithin);
    }
  }

  Result<json> Answer(const Message& message) {
    const std::string op = message.body.value("op", "");
    if (op == "load") {
      TRY_ASSIGN(const auto request, asr::ParseLoadRequest(message.body));
      TRY_ASSIGN(const auto traits, engine_.Load(request));
      return ToJson(traits);
    }
    if (op == "run") {
      TRY_ASSIGN(const auto options, asr::ParseRecognitionOptions(message.body));
      TRY_ASSIGN(const RunAudio audio, RunAudio::Of(message));
      TRY_ASSIGN(const auto result, engine_.Run(options, audio.samples()));
      ++runs_;
      return ToJson(result);
    }
    if (op == "batch") {
      TRY_ASSIGN(const auto request, asr::ParseBatchRequest(message.body));
      TRY_ASSIGN(const RunAudio audio, RunAudio::Of(message));
      TRY_ASSIGN(const auto clips, ClipsOf(audio.samples(), request.clips));
      TRY_ASSIGN(const auto results, engine_.RunBatch(request.options, clips));
      ++runs_;
      return ToJson(results);
    }
    if (op == "plan") {
      TRY_ASSIGN(const auto request, asr::ParsePlanRequest(message.body));
      TRY_ASSIGN(const auto plan, engine_.Plan(request));
      return ToJson(plan);
    }
    if (op == "stats") {
      asr::WorkerStats stats = MeasureSelf(runs_);
      engine_.AddDevice(stats);
      return ToJson(stats);
    }
    return Fail(Errc::kProtocol, "no such operation");
  }

  Engine& engine_;
  Channel channel_;
  RequestSlot slot_;
  std::int64_t runs_ = 0;  // the computing thread's
};

}  // namespace

int Serve(Engine& engine, Fd socket) {
  Server server(engine, std::move(socket));
  const int code = server.Run();
  // The computing thread may be anywhere inside the engine: no destructor may run under it.
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace headroom::worker
