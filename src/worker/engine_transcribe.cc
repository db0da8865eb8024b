// transcribe.cpp behind the Engine seam, on the CPU.
#include <transcribe.h>
#include <transcribe/whisper.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "audio/format.h"
#include "base/text.h"
#include "worker/cores.h"
#include "worker/cpu_abort.h"
#include "worker/engine.h"

namespace headroom::worker {
namespace {

// Sampling happens only in Whisper's temperature fallback; a fixed seed makes its text repeatable.
constexpr std::uint32_t kSamplerSeed = 1;

struct FreeModel {
  void operator()(transcribe_model* model) const { transcribe_model_free(model); }
};
struct FreeSession {
  void operator()(transcribe_session* session) const { transcribe_session_free(session); }
};

Errc CodeOf(transcribe_status status) {
  switch (status) {
    case TRANSCRIBE_ERR_FILE_NOT_FOUND:
      return Errc::kNotFound;
    case TRANSCRIBE_ERR_GGUF:
      return Errc::kCorrupt;
    case TRANSCRIBE_ERR_UNSUPPORTED_ARCH:
    case TRANSCRIBE_ERR_UNSUPPORTED_VARIANT:
    case TRANSCRIBE_ERR_UNSUPPORTED_LANGUAGE:
    case TRANSCRIBE_ERR_UNSUPPORTED_TASK:
    case TRANSCRIBE_ERR_UNSUPPORTED_TIMESTAMPS:
    case TRANSCRIBE_ERR_NOT_IMPLEMENTED:
      return Errc::kUnsupported;
    case TRANSCRIBE_ERR_OOM:
      return Errc::kNoMemory;
    case TRANSCRIBE_ERR_ABORTED:
      return Errc::kCancelled;
    case TRANSCRIBE_ERR_INVALID_ARG:
    case TRANSCRIBE_ERR_INPUT_TOO_LONG:
      return Errc::kInvalid;
    default:
      return Errc::kInternal;
  }
}

std::string TextOf(const char* text) {
  return text ? Printable(Trim(text)) : std::string();
}

// The reason for a failure is in the engine's log, not in its status: the last error line is kept.
class LastError {
 public:
  static void Receive(transcribe_log_level level, const char* message, void* self) {
    if (level != TRANSCRIBE_LOG_LEVEL_ERROR || !message) return;
    auto* last = static_cast<LastError*>(self);
    const std::lock_guard lock(last->mutex_);
    last->line_ = TextOf(message);
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    line_.clear();
  }
  std::string line() {
    const std::lock_guard lock(mutex_);
    return line_;
  }

 private:
  std::mutex mutex_;
  std::string line_;  // guarded by mutex_: the engine may log from any of its threads
};

class TranscribeEngine : public Engine {
 public:
  TranscribeEngine() {
    transcribe_log_set(LastError::Receive, &last_error_);
    transcribe_init_backends_default();
    InstallCpuAbort(&stop_);
  }

  std::string Backend() const override { return "cpu"; }
  std::string Version() const override {
    return "transcribe.cpp " + std::string(transcribe_version());
  }

  Result<engine::ModelTraits> Load(const engine::LoadRequest& request) override {
    session_.reset();
    model_.reset();
    stop_ = false;
    last_error_.Clear();

    transcribe_model_load_params load;
    transcribe_model_load_params_init(&load);
    load.backend = TRANSCRIBE_BACKEND_CPU;
    transcribe_model* model = nullptr;
    const transcribe_status loaded =
        transcribe_model_load_file(request.path.c_str(), &load, &model);
    model_.reset(model);
    if (loaded != TRANSCRIBE_OK) return Explain(loaded, "load " + request.path);

    transcribe_session_params parameters;
    transcribe_session_params_init(&parameters);
    parameters.n_threads = request.threads > 0 ? request.threads : UsableCores();
    transcribe_session* session = nullptr;
    const transcribe_status made = transcribe_session_init(model, &parameters, &session);
    session_.reset(session);
    if (made != TRANSCRIBE_OK) return Explain(made, "prepare " + request.path);
    transcribe_set_abort_callback(
        session, [](void* stop) { return static_cast<std::atomic<bool>*>(stop)->load(); }, &stop_);
    return Describe(*model);
  }

  Result<engine::RunResult> Run(const engine::RunRequest& request,
                                std::span<const float> samples) override {
    if (!session_) return Fail(Errc::kInvalid, "no model is loaded");
    stop_ = false;
    last_error_.Clear();

    transcribe_run_params run;
    transcribe_run_params_init(&run);
    if (!request.language.empty()) run.language = request.language.c_str();
    if (request.translate) run.task = TRANSCRIBE_TASK_TRANSLATE;
    run.timestamps = request.word_times      ? TRANSCRIBE_TIMESTAMPS_WORD
                     : request.segment_times ? TRANSCRIBE_TIMESTAMPS_SEGMENT
                                             : TRANSCRIBE_TIMESTAMPS_NONE;
    std::vector<const char*> vocabulary;
    for (const std::string& word : request.vocabulary) vocabulary.push_back(word.c_str());
    run.vocabulary = vocabulary.empty() ? nullptr : vocabulary.data();
    run.n_vocabulary = static_cast<std::int32_t>(vocabulary.size());
    if (!request.prompt.empty()) run.prompt = request.prompt.c_str();
    transcribe_whisper_run_ext whisper;
    if (transcribe_model_accepts_ext_kind(model_.get(), TRANSCRIBE_EXT_SLOT_RUN,
                                          TRANSCRIBE_EXT_KIND_WHISPER_RUN)) {
      transcribe_whisper_run_ext_init(&whisper);
      whisper.seed = kSamplerSeed;
      run.family = &whisper.ext;
    }

    const transcribe_status status =
        transcribe_run(session_.get(), samples.data(), static_cast<int>(samples.size()), &run);
    // A graph that was stopped half-way comes back as an error of the backend.
    if (stop_) return Fail(Errc::kCancelled, "cancelled");
    const bool partial =
        status == TRANSCRIBE_ERR_OUTPUT_TRUNCATED || status == TRANSCRIBE_ERR_OUTPUT_REPETITION;
    if (status != TRANSCRIBE_OK && !partial) return Explain(status, "recognise");
    return Collect(partial, audio::DurationOf(static_cast<std::int64_t>(samples.size())));
  }

  void Cancel() override { stop_ = true; }

 private:
  std::unexpected<Error> Explain(transcribe_status status, std::string_view context) {
    const std::string line = last_error_.line();
    return Fail(CodeOf(status), "{}: {}", context,
                line.empty() ? transcribe_status_string(status) : line.c_str());
  }

  static Result<engine::ModelTraits> Describe(const transcribe_model& model) {
    if (!(transcribe_model_roles(&model) & TRANSCRIBE_ROLE_ASR))
      return Fail(Errc::kUnsupported, "this model does not recognise speech");
    transcribe_capabilities able;
    transcribe_capabilities_init(&able);
    if (transcribe_model_get_capabilities(&model, &able) != TRANSCRIBE_OK)
      return Fail(Errc::kInternal, "the engine does not say what the model can do");
    engine::ModelTraits traits;
    traits.architecture = TextOf(transcribe_model_arch_string(&model));
    traits.variant = TextOf(transcribe_model_variant_string(&model));
    for (int i = 0; i < able.n_languages; ++i)
      traits.languages.push_back(TextOf(able.languages[i]));
    traits.detects_language = able.supports_language_detect;
    traits.translates = able.supports_translate;
    traits.segment_times = able.max_timestamp_kind >= TRANSCRIBE_TIMESTAMPS_SEGMENT;
    traits.word_times = able.max_timestamp_kind >= TRANSCRIBE_TIMESTAMPS_WORD;
    traits.vocabulary = transcribe_model_supports(&model, TRANSCRIBE_FEATURE_VOCABULARY);
    traits.prompt = transcribe_model_supports(&model, TRANSCRIBE_FEATURE_CONTEXT_PROMPT);
    traits.streams = able.supports_streaming;
    traits.max_audio = Milliseconds(able.max_audio_ms);
    return traits;
  }

  Result<engine::RunResult> Collect(bool partial, Milliseconds duration) {
    engine::RunResult result;
    result.truncated = partial || transcribe_was_truncated(session_.get());
    result.transcript.language = TextOf(transcribe_detected_language(session_.get()));
    const auto clamp = [duration](std::int64_t ms) {
      return std::clamp(Milliseconds(ms), Milliseconds(0), duration);
    };
    const int segments = transcribe_n_segments(session_.get());
    for (int i = 0; i < segments; ++i) {
      transcribe_segment from;
      transcribe_segment_init(&from);
      transcribe_get_segment(session_.get(), i, &from);
      speech::Segment segment{.start = clamp(from.t0_ms),
                              .end = clamp(from.t1_ms),
                              .text = TextOf(from.text),
                              .words = {}};
      for (int w = from.first_word; w < from.first_word + from.n_words; ++w) {
        transcribe_word word;
        transcribe_word_init(&word);
        transcribe_get_word(session_.get(), w, &word);
        if (!TextOf(word.text).empty())
          segment.words.push_back({clamp(word.t0_ms), clamp(word.t1_ms), TextOf(word.text)});
      }
      if (!segment.text.empty()) result.transcript.segments.push_back(std::move(segment));
    }
    // Families without times give no rows, or rows without times: the text then spans the audio.
    const std::string whole = TextOf(transcribe_full_text(session_.get()));
    if (result.transcript.segments.empty() && !whole.empty())
      result.transcript.segments.push_back({Milliseconds(0), duration, whole, {}});
    for (speech::Segment& segment : result.transcript.segments) {
      if (segment.end <= segment.start) segment.end = duration;
    }
    transcribe_timings timings;
    transcribe_timings_init(&timings);
    transcribe_get_timings(session_.get(), &timings);
    result.timings = {timings.mel_ms, timings.encode_ms, timings.decode_ms};
    return result;
  }

  std::atomic<bool> stop_{false};
  LastError last_error_;
  std::unique_ptr<transcribe_model, FreeModel> model_;  // outlives the session
  std::unique_ptr<transcribe_session, FreeSession> session_;
};

}  // namespace

std::unique_ptr<Engine> MakeTranscribeEngine() {
  return std::make_unique<TranscribeEngine>();
}

}  // namespace headroom::worker
