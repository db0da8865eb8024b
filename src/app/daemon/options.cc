#include "app/daemon/options.h"

namespace headroom::app {
namespace {

// With `longest` it is what Whisper hears at once.
constexpr Milliseconds kOverlap{1'500};

}  // namespace

audio::SourceOptions SourceOptionsFor(const Config& config) {
  audio::SourceOptions options;
  options.kind = config.audio.source;
  if (!config.audio.device.empty()) options.devices = {config.audio.device};
  for (const auto& file : config.audio.files) options.files.push_back(file.string());
  options.real_time = config.audio.real_time;
  return options;
}

Result<DictationOptions> DictationOptionsFor(const Config& config) {
  DictationOptions options;
  options.segmenter.endpoint.enter = static_cast<float>(config.speech.vad_enter);
  options.segmenter.endpoint.leave = static_cast<float>(config.speech.vad_leave);
  options.segmenter.endpoint.min_speech = config.speech.min_speech;
  options.segmenter.endpoint.pre_roll = config.speech.pre_roll;
  options.segmenter.endpoint.silence = config.speech.silence;
  options.segmenter.endpoint.pause =
      std::min(options.segmenter.endpoint.pause, config.speech.silence / 2);
  options.segmenter.endpoint.inactivity = config.speech.inactivity;
  options.segmenter.endpoint.overlap = kOverlap;
  TRY(speech::Check(options.segmenter.endpoint));
  if (config.speech.mode == ListenMode::kHandsFree) {
    options.give_up = Milliseconds(0);
  } else {
    options.give_up = config.speech.inactivity;
  }
  if (!config.speech.partials) options.segmenter.partial_every = Milliseconds(0);
  return options;
}

speech::RecognitionOptions RequestFor(const Config& config, std::vector<std::string> vocabulary) {
  speech::RecognitionOptions request;
  if (config.speech.language != "auto") request.language = config.speech.language;
  request.translate_to = config.speech.translate_to;
  request.unpunctuated = !config.speech.punctuation;
  request.vocabulary = std::move(vocabulary);
  return request;
}

}  // namespace headroom::app
