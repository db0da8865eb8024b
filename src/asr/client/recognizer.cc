#include "asr/client/recognizer.h"

#include "asr/client/decoding.h"
#include "audio/format/format.h"

namespace headroom::asr {
namespace {

bool WorkerFailed(Errc code) {
  return code == Errc::kWorkerLost || code == Errc::kTimeout || code == Errc::kProtocol;
}

}  // namespace

Result<> Recognizer::Start(CancelToken* cancel) {
  if (worker_ && worker_->alive()) return {};
  if (cancel && cancel->raised()) return Fail(Errc::kCancelled, "cancelled");
  if (worker_) ++restarts_;
  TRY_ASSIGN(worker_, Worker::Spawn(options_));
  auto traits = worker_->Load(model_, LoadDeadline(model_.path));
  if (!traits) return Fail(std::move(traits.error()));
  traits_ = std::move(*traits);
  return {};
}

Result<RunResult> Recognizer::Recognize(const RecognitionOptions& options,
                                        const audio::FiniteAudio& audio, CancelToken* cancel) {
  Decoding decoding(audio, audio::DurationOf(kMaxRunSamples));
  while (const auto clip = decoding.Next()) {
    auto result = RunOnce(options, clip->samples(), cancel);
    if (!result && WorkerFailed(result.error().code))
      result = RunOnce(options, clip->samples(), cancel);
    if (!result) return result;
    decoding.Add(std::move(*result));
  }
  return decoding.Finish();
}

Result<RunResult> Recognizer::RunOnce(const RecognitionOptions& options,
                                      std::span<const float> samples, CancelToken* cancel) {
  TRY(Start(cancel));
  const Milliseconds audio = audio::DurationOf(static_cast<std::int64_t>(samples.size()));
  const MonoTime begin = SystemClock().Now();
  auto result = worker_->Run(options, samples, RunDeadline(audio, rate()), cancel);
  if (result) {
    audio_seconds_ += std::chrono::duration<double>(audio).count();
    run_seconds_ += std::chrono::duration<double>(SystemClock().Now() - begin).count();
  }
  return result;
}

}  // namespace headroom::asr
