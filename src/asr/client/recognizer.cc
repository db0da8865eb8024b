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

Result<RunResult> Recognizer::Recognize(const RecognitionOptions& request,
                                        const audio::FiniteAudio& audio, CancelToken* cancel) {
  Decoding decoding(audio.samples(), audio::DurationOf(kMaxRunSamples));
  while (const auto piece = decoding.Next()) {
    const auto samples = audio.samples().subspan(piece->begin, piece->end - piece->begin);
    auto result = RunOnce(request, samples, cancel);
    if (!result && WorkerFailed(result.error().code)) result = RunOnce(request, samples, cancel);
    if (!result) return result;
    decoding.Add(std::move(*result));
  }
  return decoding.Finish();
}

Result<RunResult> Recognizer::RunOnce(const RecognitionOptions& request,
                                      std::span<const float> samples, CancelToken* cancel) {
  TRY(Start(cancel));
  const Milliseconds audio = audio::DurationOf(static_cast<std::int64_t>(samples.size()));
  const MonoTime begin = SystemClock().Now();
  auto result = worker_->Run(request, samples, RunDeadline(audio, rate()), cancel);
  if (result) {
    audio_seconds_ += std::chrono::duration<double>(audio).count();
    run_seconds_ += std::chrono::duration<double>(SystemClock().Now() - begin).count();
  }
  return result;
}

}  // namespace headroom::asr
