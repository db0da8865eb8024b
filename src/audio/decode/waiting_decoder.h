// headroom-decode as a process: started for a file, or before there is one, since loading FFmpeg's
// libraries takes longer than decoding a short recording.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace headroom::audio {

struct Decoder {
  Child child;
  Fd pcm, status;  // read ends
};

/// A decoder at work on `input`, an open file, which stays the caller's.
Result<Decoder> StartDecoder(int input);

/// At most one decoder that waits for its file. Thread-safe.
class WaitingDecoder {
 public:
  explicit WaitingDecoder(const Clock& clock = SystemClock()) : clock_(clock) {}

  /// Starts one, if none waits. One that cannot be started is not missed: StartDecoder will say
  /// why.
  void Prepare();
  /// The waiting one, now at work on `input`; nullopt when none waits, or it has died.
  std::optional<Decoder> Take(int input);
  /// Ends it when it has waited for that long: it holds 5 MB.
  void DropAfter(Milliseconds unused);
  /// Of the one that waits; 0: none does.
  pid_t pid() const;

 private:
  struct Waiting {
    Decoder decoder;
    Fd call;  // takes the file's descriptor
    MonoTime since;
  };
  static Result<Waiting> Start(MonoTime now);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::optional<Waiting> waiting_ GUARDED_BY(mutex_);
};

}  // namespace headroom::audio
