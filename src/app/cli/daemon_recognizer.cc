#include "app/cli/daemon_recognizer.h"

#include <poll.h>

namespace headroom::cli {
namespace {

constexpr Milliseconds kAskAgain{500};
constexpr Milliseconds kComesBackWithin{30'000};

void Pause(CancelToken* cancel) {
  pollfd stop{cancel ? cancel->fd() : -1, POLLIN, 0};
  ::poll(&stop, 1, static_cast<int>(kAskAgain.count()));
}

}  // namespace

Result<asr::RunResult> DaemonRecognizer::Recognize(const speech::RecognitionOptions& options,
                                                   const audio::FiniteAudio& audio,
                                                   CancelToken* cancel) {
  TRY_ASSIGN(const Fd sealed, MakeSealedMemory("headroom-audio", std::as_bytes(audio.samples())));
  nlohmann::json body = asr::ToJson(options);
  body["fd"] = sealed.get();
  std::optional<MonoTime> gone;
  while (true) {
    auto answer = daemon_.Ask("POST", "/v1/recognize", body, Milliseconds(0), cancel);
    if (answer) {
      const auto result = answer->find("result");
      if (result == answer->end())
        return Fail(Errc::kProtocol, "the service's answer has no result");
      model_ = answer->value("tier", "");
      return asr::ParseRunResult(*result);
    }
    const Errc code = answer.error().code;
    // The service ended, perhaps to restart; the samples are still here.
    const bool lost = code == Errc::kNetwork || code == Errc::kNotFound;
    if (!lost && code != Errc::kBusy) return Fail(std::move(answer.error()));
    const MonoTime now = SystemClock().Now();
    if (lost && !gone) {
      note_("the service stopped; waiting for it to restart");
      gone = now;
    }
    if (!lost) gone.reset();
    if (gone && now - *gone > kComesBackWithin)
      return Fail(Errc::kWorkerLost,
                  "the service stopped and did not restart; --alone works without it");
    Pause(cancel);
  }
}

}  // namespace headroom::cli
