// Who turns the chunks of a recording into text: a worker of one's own (Recognizer), or the
// daemon's scheduler.
#pragma once

#include <span>
#include <string>

#include "asr/client/protocol.h"
#include "audio/format/finite_audio.h"
#include "base/cancel.h"

namespace headroom::asr {

/// One thread at a time.
class ChunkRecognizer {
 public:
  virtual ~ChunkRecognizer() = default;
  /// kCancelled when `cancel` was raised.
  virtual Result<RunResult> Recognize(const RecognitionOptions& options,
                                      const audio::FiniteAudio& audio, CancelToken* cancel) = 0;
  /// After an error of Recognize: whether the next chunk may succeed.
  virtual bool Recover(CancelToken* cancel) = 0;
  /// The longest chunk; 0: no limit.
  virtual Milliseconds longest() const = 0;
  /// That recognised the last chunk, for a person; "" when none was.
  virtual std::string model() const = 0;
};

}  // namespace headroom::asr
