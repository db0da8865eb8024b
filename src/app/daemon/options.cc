#include "app/daemon/options.h"

namespace headroom::app {
namespace {

// With `longest` it is what Whisper hears at once.
constexpr Milliseconds kOverlap{1'500};

audio::SourceKind KindFor(SourceKind kind) {
  switch (kind) {
    case SourceKind::kAuto:
      return audio::SourceKind::kAuto;
    case SourceKind::kPulse:
      return audio::SourceKind::kPulse;
    case SourceKind::kAlsa:
      return audio::SourceKind::kAlsa;
    case SourceKind::kFile:
      return audio::SourceKind::kFile;
    case SourceKind::kStdin:
      return audio::SourceKind::kStdin;
    case SourceKind::kNone:
      return audio::SourceKind::kNone;
  }
  return audio::SourceKind::kNone;
}

std::vector<std::string> InjectorsFor(TypingMethod method) {
  switch (method) {
    case TypingMethod::kAuto:
      return {};
    case TypingMethod::kWtype:
      return {"wtype"};
    case TypingMethod::kXdotool:
      return {"xdotool"};
    case TypingMethod::kYdotool:
      return {"ydotool"};
    case TypingMethod::kPaste:
      return {"paste"};
  }
  return {};
}

output::TargetKind KindFor(OutputTarget target) {
  switch (target) {
    case OutputTarget::kType:
      return output::TargetKind::kType;
    case OutputTarget::kClipboard:
      return output::TargetKind::kClipboard;
    case OutputTarget::kStdout:
      return output::TargetKind::kStdout;
    case OutputTarget::kFile:
      return output::TargetKind::kFile;
    case OutputTarget::kCommand:
      return output::TargetKind::kCommand;
  }
  return output::TargetKind::kStdout;
}

output::Newlines NewlinesFor(NewlinePolicy policy) {
  switch (policy) {
    case NewlinePolicy::kSpace:
      return output::Newlines::kSpace;
    case NewlinePolicy::kShiftEnter:
      return output::Newlines::kShiftEnter;
    case NewlinePolicy::kEnter:
      return output::Newlines::kKeep;
  }
  return output::Newlines::kSpace;
}

}  // namespace

audio::SourceOptions SourceOptionsFor(const Config& config) {
  audio::SourceOptions options;
  options.kind = KindFor(config.audio.source);
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

std::vector<output::TargetOptions> TargetOptionsFor(const Config& config) {
  std::vector<output::TargetOptions> all;
  for (const OutputTarget target : config.output.targets) {
    output::TargetOptions options;
    options.kind = KindFor(target);
    switch (target) {
      case OutputTarget::kType:
        options.newlines = NewlinesFor(config.output.newline);
        options.after = config.output.after_utterance;
        options.typing.injectors = InjectorsFor(config.output.typing);
        options.typing.key_delay = config.output.key_delay;
        if (config.output.paste_key != "auto") options.typing.paste_key = config.output.paste_key;
        if (!config.output.restore_clipboard) options.typing.restore_after = Milliseconds(0);
        break;
      case OutputTarget::kFile:
        options.path = config.output.file;
        break;
      case OutputTarget::kCommand:
        options.command = config.output.command;
        break;
      case OutputTarget::kClipboard:
      case OutputTarget::kStdout:
        break;
    }
    all.push_back(std::move(options));
  }
  return all;
}

}  // namespace headroom::app
