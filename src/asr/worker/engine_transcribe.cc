// transcribe.cpp behind the Engine seam, on the device its Placement opens.
#include <ggml-backend.h>
#include <transcribe.h>
#include <transcribe/whisper.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "asr/overrides/conformer_stem.h"
#include "asr/overrides/count_only.h"
#include "asr/overrides/cpu_backend.h"
#include "asr/overrides/cpu_copies.h"
#include "asr/overrides/encoder_window.h"
#include "asr/overrides/header_copy.h"
#include "asr/overrides/matmul_override.h"
#include "asr/overrides/pool.h"
#include "asr/sim/sim_device.h"
#include "asr/worker/cores.h"
#include "asr/worker/engine.h"
#include "asr/worker/engine_log.h"
#include "asr/worker/placement.h"
#include "asr/worker/transcribe_results.h"
#include "asr/worker/warm_audio.h"
#include "audio/format/format.h"
#include "base/owned.h"
#include "speech/vad/engine_status.h"

namespace headroom::worker {
namespace {

// Sampling happens only in Whisper's temperature fallback; a fixed seed makes its text repeatable.
constexpr std::uint32_t kSamplerSeed = 1;
// A pool that still had to ask the driver after so many rounds of warming up will always have to.
constexpr int kWarmRounds = 4;

// In a window that can still be widened, a text is not waited for beyond what can be said in that
// time in languages with many tokens: it would only be a repetition.
constexpr std::int64_t kUnlimited = INT64_MAX;
std::int64_t StepsFor(Milliseconds audio) {
  return 20 + 15 * audio.count() / 1000;
}

bool IsPartial(transcribe_status status) {
  return status == TRANSCRIBE_ERR_OUTPUT_TRUNCATED || status == TRANSCRIBE_ERR_OUTPUT_REPETITION;
}

Milliseconds LengthOf(std::span<const float> samples) {
  return audio::DurationOf(static_cast<std::int64_t>(samples.size()));
}

// What a run is asked for, in the engine's words. Points into the options, which must outlive it.
struct RunParameters {
  RunParameters(const transcribe_model& model, const speech::RecognitionOptions& options,
                bool fallback) {
    transcribe_run_params_init(&params);
    if (!options.language.empty()) params.language = options.language.c_str();
    if (!options.translate_to.empty() && options.translate_to != Spoken(model, options)) {
      params.task = TRANSCRIBE_TASK_TRANSLATE;
      params.target_language = options.translate_to.c_str();
    }
    if (options.unpunctuated && transcribe_model_supports(&model, TRANSCRIBE_FEATURE_PNC))
      params.pnc = TRANSCRIBE_PNC_MODE_OFF;
    params.timestamps = options.word_times      ? TRANSCRIBE_TIMESTAMPS_WORD
                        : options.segment_times ? TRANSCRIBE_TIMESTAMPS_SEGMENT
                                                : TRANSCRIBE_TIMESTAMPS_NONE;
    for (const std::string& word : options.vocabulary) vocabulary_.push_back(word.c_str());
    params.vocabulary = vocabulary_.empty() ? nullptr : vocabulary_.data();
    params.n_vocabulary = static_cast<std::int32_t>(vocabulary_.size());
    if (!options.prompt.empty()) params.prompt = options.prompt.c_str();
    if (!transcribe_model_accepts_ext_kind(&model, TRANSCRIBE_EXT_SLOT_RUN,
                                           TRANSCRIBE_EXT_KIND_WHISPER_RUN))
      return;
    transcribe_whisper_run_ext_init(&whisper_);
    whisper_.seed = kSamplerSeed;
    if (!fallback) whisper_.temperature_inc = 0;
    params.family = &whisper_.ext;
  }
  RunParameters(const RunParameters&) = delete;
  RunParameters& operator=(const RunParameters&) = delete;

  transcribe_run_params params;

 private:
  static std::string Spoken(const transcribe_model& model,
                            const speech::RecognitionOptions& options) {
    if (!options.language.empty()) return options.language;
    transcribe_capabilities able;
    transcribe_capabilities_init(&able);
    const bool detects = transcribe_model_get_capabilities(&model, &able) == TRANSCRIBE_OK &&
                         able.supports_language_detect;
    return detects ? "" : "en";  // what the engine takes where nothing is said
  }

  std::vector<const char*> vocabulary_;
  transcribe_whisper_run_ext whisper_;
};

class TranscribeEngine : public Engine {
 public:
  explicit TranscribeEngine(std::unique_ptr<Placement> placement)
      : placement_(std::move(placement)) {
    transcribe_init_backends_default();
    InstallCpuBackend(&stop_);
  }

  std::string Backend() const override { return placement_->Backend(); }
  std::string Version() const override {
    return "transcribe.cpp " + std::string(transcribe_version());
  }

  Result<asr::ModelTraits> Load(const asr::LoadRequest& request) override {
    TRY(Begin(request.gpu));
    auto traits = LoadAndWarm(request);
    if (!traits) {
      Unload();
      return traits;
    }
    if (place_.pool) place_.pool->Set(BufferPool::Mode::kSealed);
    if (place_.gpu) place_.gpu->Ready();
    return traits;
  }

  Result<asr::RunResult> Run(const speech::RecognitionOptions& options,
                             std::span<const float> samples) override {
    TRY(BeginRun());
    const Milliseconds length = LengthOf(samples);
    Milliseconds window = WindowOf(length);
    while (true) {
      const bool last = window >= std::max(widest_, WindowOf(length));
      const RunParameters run(*model_, options, last && !Counting());
      window_.Set(window, length);
      steps_left_ = last ? kUnlimited : StepsFor(length);
      const transcribe_status status = transcribe_run(
          session_.get(), samples.data(), static_cast<int>(samples.size()), &run.params);
      const bool endless = steps_left_ < 0;
      steps_left_ = kUnlimited;
      encoded_ += std::max(WindowsComputed(*session_), endless ? 1 : 0) * window;
      // A graph that was stopped half-way comes back as an error of the backend.
      if (stop_) return Fail(Errc::kCancelled, "cancelled");
      if (status != TRANSCRIBE_OK && !IsPartial(status) && !endless)
        return Explain(status, "recognise");
      const bool partial = endless || IsPartial(status) || transcribe_was_truncated(session_.get());
      if (last || !(partial || IsDoubtful(*session_, length)))
        return Collect(*session_, 0, partial, length);
      ++widened_;
      window = widest_;
    }
  }

  Result<asr::BatchResult> RunBatch(const speech::RecognitionOptions& options,
                                    std::span<const std::span<const float>> clips) override {
    TRY(BeginRun());
    const RunParameters run(*model_, options, !Counting());
    std::vector<const float*> starts;
    std::vector<int> sizes;
    Milliseconds longest{0};
    for (const std::span<const float> clip : clips) {
      starts.push_back(clip.data());
      sizes.push_back(static_cast<int>(clip.size()));
      longest = std::max(longest, LengthOf(clip));
    }
    // No clip of a batch is tried again: all have the widest window from the start.
    window_.Set(std::max(widest_, WindowOf(longest)), longest);
    const transcribe_status status = transcribe_run_batch(
        session_.get(), starts.data(), sizes.data(), static_cast<int>(clips.size()), &run.params);
    if (stop_) return Fail(Errc::kCancelled, "cancelled");
    if (status != TRANSCRIBE_OK) return Explain(status, "recognise");
    asr::BatchResult results;
    for (int i = 0; i < static_cast<int>(clips.size()); ++i) {
      const transcribe_status one = transcribe_batch_status(session_.get(), i);
      if (one == TRANSCRIBE_OK || IsPartial(one))
        results.push_back(
            Collect(*session_, i, IsPartial(one), LengthOf(clips[static_cast<std::size_t>(i)])));
      else
        results.push_back(Explain(one, "recognise"));
    }
    return results;
  }

  Result<asr::PlanResult> Plan(const asr::PlanRequest& request) override {
    TRY(Begin(request.gpu));
    if (!place_.gpu) return Fail(Errc::kUnsupported, "this worker has no device that can plan");
    UseStemOverride(request.cpu);
    auto plan = Measure(request);
    Unload();
    return plan;
  }

  void Cancel() override { stop_ = true; }

  void AddDevice(asr::WorkerStats& stats) const override {
    stats.encoded = encoded_;
    stats.widened = widened_;
    if (!place_.pool) return;
    const BufferPool::Usage usage = place_.pool->usage();
    stats.device = place_.gpu ? place_.gpu->used() : usage.held;
    stats.device_peak = place_.gpu ? place_.gpu->peak() : usage.peak;
    stats.device_allocations = usage.allocations;
    stats.pool_hits = usage.hits;
  }

 private:
  // Asked by the engine before each window and each token.
  bool MustStop() { return stop_ || steps_left_-- <= 0; }

  bool Counting() const { return place_.gpu && place_.gpu->options().counting; }

  Result<> BeginRun() {
    if (!session_) return Fail(Errc::kInvalid, "no model is loaded");
    stop_ = false;
    log_.Clear();
    if (place_.gpu) place_.gpu->BeginRun();
    return {};
  }

  Milliseconds WindowOf(Milliseconds audio) const {
    return whole_windows_ ? window_.full() : WindowFor(audio, window_.full());
  }

  void Unload() {
    window_ = {};
    whole_windows_ = false;
    session_.reset();
    model_.reset();
    if (place_.pool) place_.pool->Set(BufferPool::Mode::kPassThrough);
  }

  Result<> Begin(const asr::GpuOptions& gpu) {
    Unload();
    stop_ = false;
    log_.Clear();
    TRY_ASSIGN(place_, placement_->Open(gpu));
    UseStemOverride(!place_.device);
    return {};
  }

  Result<> LoadModel(const std::string& path, const std::string& name) {
    transcribe_model_load_params load;
    transcribe_model_load_params_init(&load);
    load.backend = place_.device ? TRANSCRIBE_BACKEND_AUTO : TRANSCRIBE_BACKEND_CPU;
    load.device = reinterpret_cast<transcribe_device_t>(place_.device);
    transcribe_model* model = nullptr;
    const WindowSearch search;
    const transcribe_status loaded = transcribe_model_load_file(path.c_str(), &load, &model);
    model_.reset(model);
    if (loaded != TRANSCRIBE_OK) return Explain(loaded, "load " + name);
    window_ = search.found();
    widest_ = window_.full();
    return {};
  }

  Result<> MakeSession(int threads, const std::string& name) {
    session_.reset();
    transcribe_session_params parameters;
    transcribe_session_params_init(&parameters);
    parameters.n_threads = threads > 0 ? threads : UseCores();
    if (!Counting()) KeepCpuThreads(parameters.n_threads);
    transcribe_session* session = nullptr;
    const transcribe_status made = transcribe_session_init(model_.get(), &parameters, &session);
    session_.reset(session);
    if (made != TRANSCRIBE_OK) return Explain(made, "prepare " + name);
    transcribe_set_abort_callback(
        session, [](void* self) { return static_cast<TranscribeEngine*>(self)->MustStop(); }, this);
    return {};
  }

  Result<asr::ModelTraits> LoadAndWarm(const asr::LoadRequest& request) {
    TRY(LoadModel(request.path, request.path));
    TRY(MakeSession(request.threads, request.path));
    TRY_ASSIGN(auto traits, Describe(*model_));
    whole_windows_ = request.whole_windows;
    if (!request.chunks.empty()) widest_ = WindowOf(*std::ranges::max_element(request.chunks));
    if (!place_.pool || request.chunks.empty()) return traits;

    std::vector<Milliseconds> lengths = request.chunks;
    std::ranges::sort(lengths, std::greater());
    for (int round = 0; round < kWarmRounds; ++round) {
      place_.pool->Set(BufferPool::Mode::kWarming);
      for (const Milliseconds length : lengths) TRY(RunNoise(length, request.batch));
      if (place_.pool->usage().allocations == 0) break;
    }
    return traits;
  }

  // Memory by itself is what this is for: `batch` clips of `length`, and what comes out is dropped.
  Result<> RunNoise(Milliseconds length, int batch) {
    const std::vector<float> noise = Counting() ? Silence(length) : WarmAudio(length);
    const std::vector<const float*> clips(static_cast<std::size_t>(batch), noise.data());
    const std::vector<int> sizes(clips.size(), static_cast<int>(noise.size()));
    const speech::RecognitionOptions any;
    const RunParameters run(*model_, any, false);
    window_.Set(WindowOf(length), length);
    const transcribe_status status =
        batch == 1
            ? transcribe_run(session_.get(), clips[0], sizes[0], &run.params)
            : transcribe_run_batch(session_.get(), clips.data(), sizes.data(), batch, &run.params);
    if (stop_) return Fail(Errc::kCancelled, "cancelled");
    if (status == TRANSCRIBE_OK || IsPartial(status)) return {};
    return Explain(status, fmt::format("try {} ms of audio", length.count()));
  }

  Result<asr::PlanResult> Measure(const asr::PlanRequest& request) {
    BufferPool& host = BufferPool::Of(
        ggml_backend_dev_buffer_type(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)));
    host.ResetPeak();
    SimCard& gpu = *place_.gpu;
    HeaderCopy header;
    std::string path = request.path;
    std::optional<CountOnly> count_only;
    if (Counting()) {
      count_only.emplace();
      TRY_ASSIGN(header, CopyHeader(request.path));
      path = fmt::format("/proc/self/fd/{}", header.file.get());
      gpu.Prefer(header.end_token, header.vocabulary);
    }
    {
      std::optional<HoleIsSkipped> skipped;
      if (Counting()) skipped.emplace();
      TRY(LoadModel(path, request.path));
    }
    asr::PlanResult plan;
    TRY_ASSIGN(plan.traits, Describe(*model_));
    plan.weights = gpu.used();
    TRY(MakeSession(request.threads, request.path));
    plan.session = gpu.used() - plan.weights;
    const Bytes before = gpu.used();
    Milliseconds longest{-1};
    for (const Milliseconds length : request.chunks) {
      if (!plan.chunks.empty()) TRY(MakeSession(request.threads, request.path));
      gpu.ResetPeak();
      TRY(RunNoise(length, request.batch));
      const Bytes kv = gpu.used() - before;
      plan.chunks.push_back(
          {.length = length, .kv = kv, .workspace = gpu.peak() - gpu.used(), .peak = gpu.peak()});
      if (length > longest) plan.kv = kv;
      longest = std::max(longest, length);
    }
    plan.host = host.usage().peak;
    if (!MultipliesHalves()) {
      TRY_ASSIGN(plan.cpu_copies, CpuCopies(path));
    }
    return plan;
  }

  std::unexpected<Error> Explain(transcribe_status status, std::string_view context) {
    const std::string line = log_.last();
    return Fail(speech::CodeOf(status), "{}: {}", context,
                line.empty() ? transcribe_status_string(status) : line.c_str());
  }

  std::atomic<bool> stop_{false};
  EngineLog& log_ = EngineLog::Install();
  std::unique_ptr<Placement> placement_;
  Place place_;
  Owned<transcribe_model, transcribe_model_free> model_;  // outlives the session
  EncoderWindow window_;                                  // of model_
  // Of the longest audio that Load made room for; doubtful text is tried again with it.
  Milliseconds widest_{0};
  bool whole_windows_ = false;
  Milliseconds encoded_{0};   // as in WorkerStats
  std::int64_t widened_ = 0;  // the same
  std::int64_t steps_left_ = kUnlimited;
  Owned<transcribe_session, transcribe_session_free> session_;
};

}  // namespace

std::unique_ptr<Engine> MakeTranscribeEngine(std::unique_ptr<Placement> placement) {
  return std::make_unique<TranscribeEngine>(std::move(placement));
}

}  // namespace headroom::worker
