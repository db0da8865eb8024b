#include "faults.h"

#include <signal.h>

#include <thread>

#include "asr/client/failure.h"
#include "jfk.h"

namespace headroom {
namespace {

using memory::Failure;

constexpr Milliseconds kLong{600'000}, kSoon{30}, kHangs{5'000};
constexpr std::int64_t kAll = 1 << 20;
constexpr int kRuns = 20;

struct Fault {
  const char* what;
  int code;
  Failure expected;
};
// What the driver gives when the program next waits for the card.
constexpr Fault kCuda[] = {{"CUDA error 2 while running", 2, Failure::kOutOfMemory},
                           {"CUDA error 46", 46, Failure::kLost},
                           {"CUDA error 700", 700, Failure::kSticky},
                           {"CUDA error 719", 719, Failure::kSticky},
                           {"CUDA error 999", 999, Failure::kSticky}};
constexpr Fault kVulkan[] = {
    {"VK_ERROR_OUT_OF_DEVICE_MEMORY while running", -2, Failure::kOutOfMemory},
    {"VK_ERROR_DEVICE_LOST", -4, Failure::kLost}};

class Injector {
 public:
  Injector(const FaultOptions& options, Preload& preload, Log& log)
      : options_(options), preload_(preload), log_(log) {}

  void Go() {
    log_.Say(
        "| fault | seen as | the worker's words | the worker | the next one's text |\n"
        "|---|---|---|---|---|");
    auto first = Fresh();
    if (!first) return log_.Failed("faults", first.error());
    auto text = Speak(**first, kLong);
    if (!text) return log_.Failed("faults", text.error());
    text_ = *text;
    Refused();
    for (const Fault& fault : options_.cuda ? std::span<const Fault>(kCuda) : kVulkan)
      During(fault.what, fault.expected,
             [&](asr::Worker&) { preload_.ledger().fault = fault.code; });
    During("killed while running", Failure::kCrash,
           [&](asr::Worker& worker) { Later(worker.pid(), SIGKILL); });
    During("hangs", Failure::kHang, [&](asr::Worker& worker) { Later(worker.pid(), SIGSTOP); });
  }

 private:
  Result<std::unique_ptr<asr::Worker>> Fresh() {
    TRY_ASSIGN(auto worker, preload_.Spawn(options_.worker));
    TRY(worker->Load(options_.load, kLong));
    return worker;
  }

  Result<std::string> Speak(asr::Worker& worker, Milliseconds within) {
    TRY_ASSIGN(const auto result,
               worker.Run({.language = "en", .vocabulary = {}, .prompt = {}}, jfk_, within));
    std::string text;
    for (const auto& segment : result.transcript.segments) text += segment.text + " ";
    return text;
  }

  void Later(pid_t pid, int signal) {
    later_ = std::jthread([pid, signal] {
      std::this_thread::sleep_for(kSoon);
      ::kill(pid, signal);
    });
  }

  // The driver has no memory when the model is loaded.
  void Refused() {
    auto worker = preload_.Spawn(options_.worker);
    if (!worker) return log_.Failed("faults", worker.error());
    preload_.ledger().refuse = kAll;
    const auto loaded = (*worker)->Load(options_.load, kLong);
    preload_.ledger().refuse = 0;
    Show("no memory while loading", Failure::kOutOfMemory,
         loaded ? std::nullopt : std::optional(loaded.error()), **worker);
  }

  template <class Injection>
  void During(const char* what, Failure expected, const Injection& inject) {
    auto worker = Fresh();
    if (!worker) return log_.Failed(what, worker.error());
    inject(**worker);
    std::optional<Error> error;
    const Milliseconds within = expected == Failure::kHang ? kHangs : kLong;
    for (int run = 0; run < kRuns && !error; ++run)  // until it is hit
      if (auto text = Speak(**worker, within); !text) error = text.error();
    later_ = {};
    Show(what, expected, error, **worker);
  }

  void Show(const char* what, Failure expected, const std::optional<Error>& error,
            asr::Worker& worker) {
    const auto seen = error ? asr::FailureOf(*error, worker.alive()) : std::nullopt;
    const bool alive = worker.alive();
    auto next = Fresh();
    const auto text = next ? Speak(**next, kLong) : Result<std::string>(Fail(Error(next.error())));
    const bool same = text && *text == text_;
    log_.Say("| {} | {} | {} | {} | {} |", what, seen ? Name(*seen) : "nothing",
             error ? error->what.substr(0, 160) : "", alive ? "stays" : "ended",
             same   ? "the same"
             : text ? "another"
                    : text.error().what);
    if (seen != expected || !same)
      log_.Check(false, fmt::format("{} is {} and the next worker gives the same text", what,
                                    Name(expected)));
  }

  const FaultOptions& options_;
  Preload& preload_;
  Log& log_;
  const std::vector<float> jfk_ = asr::Jfk();
  std::string text_;
  std::jthread later_;
};

}  // namespace

void InjectFaults(const FaultOptions& options, Preload& preload, Log& log) {
  log.Say("\n### Faults\n");
  Injector(options, preload, log).Go();
}

}  // namespace headroom
