// The seam between the worker program and whatever recognises speech. transcribe.cpp stands behind
// it in engine_transcribe.cc, a scripted fake in engine_fake.cc; another engine would be one more
// file. Everything but Cancel is called from one thread; Cancel from another, at any time.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "asr/client/protocol.h"

namespace headroom::worker {

class Engine {
 public:
  virtual ~Engine() = default;

  /// "cpu", "fake"…
  virtual std::string Backend() const = 0;
  /// Name and version, e.g. "transcribe.cpp 0.4.1".
  virtual std::string Version() const = 0;

  /// Replaces a model loaded before. On failure none is loaded.
  virtual Result<asr::ModelTraits> Load(const asr::LoadRequest& request) = 0;
  /// `samples`: 16 kHz mono, finite. kCancelled when Cancel was called since this run began.
  virtual Result<asr::RunResult> Run(const speech::RecognitionOptions& options,
                                     std::span<const float> samples) = 0;
  /// Clips at once where the engine can; fails as a whole for what ends a run.
  virtual Result<asr::BatchResult> RunBatch(const speech::RecognitionOptions& options,
                                            std::span<const std::span<const float>> clips) {
    asr::BatchResult results;
    for (const std::span<const float> clip : clips) {
      results.push_back(Run(options, clip));
      if (!results.back() && results.back().error().code == Errc::kCancelled)
        return Fail(std::move(results.back().error()));
    }
    return results;
  }
  /// Measures what a model needs. kUnsupported where nothing can be measured.
  virtual Result<asr::PlanResult> Plan(const asr::PlanRequest&) {
    return Fail(Errc::kUnsupported, "this worker cannot plan");
  }
  /// Adds what the engine holds on its device.
  virtual void AddDevice(asr::WorkerStats&) const {}
  /// Ends the run that is going on, as soon as the engine can.
  virtual void Cancel() = 0;
};

class Placement;

std::unique_ptr<Engine> MakeTranscribeEngine(std::unique_ptr<Placement> placement);
std::unique_ptr<Engine> MakeFakeEngine();

}  // namespace headroom::worker
