// Transcripts as files: plain text, JSON, SubRip (srt), WebVTT (vtt) and tab-separated values
// (tsv).
//
// Streaming: each segment is written when it comes, so hours of text never sit in memory, and what
// was written before an interruption can be used. docs/transcript.md describes the formats.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "speech/text/transcript.h"

namespace headroom::speech {

enum class TranscriptFormat { kText, kJson, kSrt, kVtt, kTsv };

/// "text" (or "txt"), "json", "srt", "vtt", "tsv"; kInvalid names them all.
Result<TranscriptFormat> ParseTranscriptFormat(std::string_view name);
/// The usual ending of a file's name, without the dot: "txt", "json", …
std::string_view Extension(TranscriptFormat format);

/// Takes everything it is given or says why not: a full disk, a closed pipe.
using TextSink = std::function<Result<>(std::string_view)>;

struct TranscriptHead {
  std::string file{};  // as the user named it
};

struct TranscriptEnd {
  std::string model{};                  // that recognised it; "" when none did
  std::string language{};               // ISO 639-1; "" when not known
  Milliseconds duration{0};             // of the audio that was looked at
  bool complete = true;                 // false: interrupted or failed on the way
  std::vector<std::string> warnings{};  // one line each, for a person
};

/// One document: Begin, Add for each segment in order of time, End. After an error nothing more may
/// be written: the sink is broken.
class TranscriptWriter {
 public:
  virtual ~TranscriptWriter() = default;
  virtual Result<> Begin(const TranscriptHead& head) = 0;
  virtual Result<> Add(const Segment& segment) = 0;
  /// Closes the document, also an incomplete one: JSON is valid after it.
  virtual Result<> End(const TranscriptEnd& end) = 0;
};

std::unique_ptr<TranscriptWriter> MakeTranscriptWriter(TranscriptFormat format, TextSink sink);

}  // namespace headroom::speech
