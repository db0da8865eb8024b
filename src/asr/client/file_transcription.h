// One media file from its bytes to its transcript: decoder -> voice activity -> chunks ->
// recogniser -> writer. Everything streams: an hour-long file holds one chunk in memory. One
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "asr/client/chunk_recognizer.h"
#include "audio/decode/media_reader.h"
#include "base/cancel.h"
#include "speech/text/captions.h"
#include "speech/vad/chunked_audio.h"

namespace headroom::asr {

struct FileProgress {
  Milliseconds done{0};
  std::optional<Milliseconds> total;  // what the file's header says
};

struct FileJob {
  std::string name;  // as the user gave it
  RecognitionOptions options;
  std::function<void(const FileProgress&)> on_progress;
};

struct FileOutcome {
  bool complete = true;  // false: some of the input could not be read or recognised
  std::vector<std::string> warnings;
  int hallucinations = 0;  // phrases that were dropped as inventions on near-silence
  Milliseconds duration{0};
};

/// Reads `media` to its end and writes one document. Whatever happens after the document was begun,
/// it is ended properly. kCancelled after Ctrl-C, with all text up to there written.
Result<FileOutcome> TranscribeFile(const FileJob& job, audio::MediaReader& media,
                                   speech::SpeechProbability& detector, ChunkRecognizer& recognizer,
                                   speech::TranscriptWriter& writer, CancelToken* cancel);

}  // namespace headroom::asr
