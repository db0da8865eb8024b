// What of the service's life goes into the flight record: measurements and events, never a word
// that was spoken. Any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/dictation/events.h"
#include "asr/scheduler/utterance.h"
#include "base/mutex.h"
#include "memory/governor.h"
#include "observe/probe/sampler.h"
#include "observe/record/writer.h"
#include "observe/watch/kernel_log.h"

namespace headroom::app {

struct RecordingOptions {
  std::filesystem::path file;
  memory::Thresholds thresholds = {};
  std::string kernel_log = "/dev/kmsg";
  const Clock* clock = &SystemClock();
};

class Recording {
 public:
  /// A failure of the file is no error: status() of the writer says it.
  static Result<std::unique_ptr<Recording>> Open(RecordingOptions options);

  /// Also reads what the kernel has logged since the last sample. The sample's zones are those of
  /// its own numbers; `gpu`: the one that is governed, "" for the worst of all. One thread at a
  /// time.
  void Measured(const probe::Sample& sample, std::string_view gpu = {});
  /// For the samples that follow: the tier that decodes, and speech that waits.
  void Governed(const std::string& tier, Milliseconds queue);
  void Happened(const Event& event);
  void Acted(const memory::Action& action);
  void TierChanged(const asr::TierEvent& event);
  void Note(record::Event event) { writer_->Note(std::move(event)); }

  const record::Writer& writer() const { return *writer_; }

 private:
  Recording(const RecordingOptions& options, std::unique_ptr<record::Writer> writer)
      : thresholds_(options.thresholds),
        clock_(*options.clock),
        writer_(std::move(writer)),
        kernel_(options.kernel_log) {}

  record::Event Now(record::EventKind kind) const;

  const memory::Thresholds thresholds_;
  const Clock& clock_;
  const std::unique_ptr<record::Writer> writer_;
  watch::KernelLog kernel_;
  Mutex mutex_;
  std::string tier_ GUARDED_BY(mutex_);
  std::optional<Milliseconds> queue_ GUARDED_BY(mutex_);
};

}  // namespace headroom::app
