#include "speech/vad/vad.h"

#include <transcribe.h>
#include <transcribe/vad.h>

#include <limits>
#include <mutex>
#include <string>

#include "audio/format/format.h"
#include "base/check.h"
#include "base/text.h"
#include "speech/vad/engine_status.h"

namespace headroom::speech {
namespace {

// The engine says why on its log only. Its callback runs on the thread that called it.
std::string& LastComplaint() {
  thread_local std::string complaint;
  return complaint;
}

void KeepComplaint(transcribe_log_level level, const char* message, void*) {
  if (level == TRANSCRIBE_LOG_LEVEL_ERROR && message != nullptr)
    LastComplaint() = std::string(Trim(message));
}

std::unexpected<Error> FailStatus(transcribe_status status, std::string_view doing) {
  std::string why = transcribe_status_string(status);
  if (!LastComplaint().empty()) why += " (" + LastComplaint() + ")";
  return Fail(CodeOf(status), "{}: {}", doing, why);
}

}  // namespace

void VoiceDetector::FreeModel::operator()(transcribe_model* model) const {
  transcribe_model_free(model);
}

void VoiceDetector::FreeSession::operator()(transcribe_vad_session* session) const {
  transcribe_vad_session_free(session);
}

Result<std::unique_ptr<VoiceDetector>> VoiceDetector::Load(const std::filesystem::path& path) {
  static std::once_flag silenced;
  std::call_once(silenced, [] { transcribe_log_set(KeepComplaint, nullptr); });
  LastComplaint().clear();
  const std::string doing = fmt::format("load voice activity model {}", path.string());

  transcribe_model_load_params load;
  transcribe_model_load_params_init(&load);
  load.backend = TRANSCRIBE_BACKEND_CPU;
  transcribe_model* model = nullptr;
  if (const auto status = transcribe_model_load_file(path.c_str(), &load, &model);
      status != TRANSCRIBE_OK)
    return FailStatus(status, doing);
  std::unique_ptr<VoiceDetector> detector(new VoiceDetector);
  detector->model_.reset(model);

  transcribe_vad_info info;
  transcribe_vad_info_init(&info);
  if (const auto status = transcribe_vad_get_info(model, &info); status != TRANSCRIBE_OK)
    return FailStatus(status, doing);
  if (info.sample_rate != audio::kSampleRate || info.frame_samples != kFrameSamples)
    return Fail(Errc::kUnsupported, "{}: frames of {} samples at {} Hz, wanted {} at {}", doing,
                info.frame_samples, info.sample_rate, kFrameSamples, audio::kSampleRate);

  transcribe_vad_session_params one_thread;
  transcribe_vad_session_params_init(&one_thread);
  one_thread.n_threads = 1;
  transcribe_vad_session* session = nullptr;
  if (const auto status = transcribe_vad_session_init(model, &one_thread, &session);
      status != TRANSCRIBE_OK)
    return FailStatus(status, doing);
  detector->session_.reset(session);
  return detector;
}

Result<std::span<const float>> VoiceDetector::Feed(std::span<const float> samples) {
  CHECK(samples.size() <= std::numeric_limits<int>::max());
  LastComplaint().clear();
  return Probabilities(
      transcribe_vad_stream_feed(session_.get(), samples.data(), static_cast<int>(samples.size())),
      "detect speech");
}

Result<std::span<const float>> VoiceDetector::Flush() {
  LastComplaint().clear();
  return Probabilities(transcribe_vad_stream_flush(session_.get()), "detect speech at the end");
}

void VoiceDetector::Reset() {
  transcribe_vad_stream_reset(session_.get());
}

Result<std::span<const float>> VoiceDetector::Probabilities(int status, const char* doing) const {
  if (status != TRANSCRIBE_OK) return FailStatus(static_cast<transcribe_status>(status), doing);
  transcribe_vad_result result;
  transcribe_vad_result_init(&result);
  transcribe_vad_get_result(session_.get(), &result);
  if (result.n_probs == 0) return std::span<const float>();
  return std::span(transcribe_vad_probs(session_.get()), static_cast<std::size_t>(result.n_probs));
}

}  // namespace headroom::speech
