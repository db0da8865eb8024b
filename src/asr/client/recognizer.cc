#include "asr/client/recognizer.h"

#include <algorithm>

#include "audio/format/format.h"

namespace headroom::asr {
namespace {

// Below this a truncated result is taken as it is: there is nothing left to cut.
constexpr std::size_t kShortestPiece = std::size_t{4} * audio::kSampleRate;

void Append(RunResult& to, RunResult piece, Milliseconds offset) {
  for (speech::Segment& segment : piece.transcript.segments) {
    segment.start += offset;
    segment.end += offset;
    for (speech::Word& word : segment.words) word.start += offset, word.end += offset;
    to.transcript.segments.push_back(std::move(segment));
  }
  if (to.transcript.language.empty()) to.transcript.language = piece.transcript.language;
  to.truncated = to.truncated || piece.truncated;
  to.timings.mel_ms += piece.timings.mel_ms;
  to.timings.encode_ms += piece.timings.encode_ms;
  to.timings.decode_ms += piece.timings.decode_ms;
}

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

Result<RunResult> Recognizer::Recognize(const RunRequest& request, std::span<const float> samples,
                                        CancelToken* cancel) {
  TRY_ASSIGN(RunResult whole, RunWithRetry(request, samples, cancel));
  if (!whole.truncated || samples.size() < kShortestPiece) return whole;

  const std::size_t cut = QuietestCut(samples);
  RunResult halves;
  TRY_ASSIGN(RunResult first, Recognize(request, samples.first(cut), cancel));
  Append(halves, std::move(first), Milliseconds(0));
  TRY_ASSIGN(RunResult second, Recognize(request, samples.subspan(cut), cancel));
  Append(halves, std::move(second), audio::DurationOf(static_cast<std::int64_t>(cut)));
  return halves;
}

Result<RunResult> Recognizer::RunWithRetry(const RunRequest& request,
                                           std::span<const float> samples, CancelToken* cancel) {
  auto result = RunOnce(request, samples, cancel);
  if (result || !WorkerFailed(result.error().code)) return result;
  return RunOnce(request, samples, cancel);
}

Result<RunResult> Recognizer::RunOnce(const RunRequest& request, std::span<const float> samples,
                                      CancelToken* cancel) {
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

std::size_t QuietestCut(std::span<const float> samples) {
  constexpr std::size_t kWindow = 1024;  // 64 ms
  const std::size_t begin = samples.size() / 4;
  const std::size_t end = samples.size() - samples.size() / 4;
  if (end - begin < kWindow) return samples.size() / 2;
  double energy = 0;
  for (std::size_t i = begin; i < begin + kWindow; ++i) energy += samples[i] * samples[i];
  double least = energy;
  std::size_t quietest = begin;
  for (std::size_t i = begin + 1; i + kWindow <= end; ++i) {
    const double out = samples[i - 1], in = samples[i + kWindow - 1];
    energy += in * in - out * out;
    if (energy < least) least = energy, quietest = i;
  }
  return quietest + kWindow / 2;
}

}  // namespace headroom::asr
