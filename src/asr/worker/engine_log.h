// What the engine and ggml log, as far as it says why something failed.
#pragma once

#include <transcribe.h>

#include <deque>
#include <string>

#include "base/mutex.h"

namespace headroom::worker {

class EngineLog {
 public:
  /// The one log of this process. From the first call on it receives the engine's lines, and an
  /// abort of ggml and an uncaught exception (which is how Vulkan says that a GPU is lost) leave
  /// the reason on stderr as one line, "CUDA error: …; …", without the stack that would hide it
  /// from the supervisor.
  static EngineLog& Install();

  void Clear();
  /// The last error line since Clear; "" for none.
  std::string last() const;
  /// The last few error lines joined by "; ".
  std::string recent() const;

 private:
  EngineLog() = default;
  static void Receive(transcribe_log_level level, const char* message, void* self);

  mutable Mutex mutex_;
  std::deque<std::string> lines_ GUARDED_BY(mutex_);  // the engine may log from any of its threads
};

}  // namespace headroom::worker
