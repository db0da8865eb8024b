// What of the service's life goes into the flight record: measurements and events, never a word
// that was spoken. Any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "app/dictation/events.h"
#include "asr/scheduler/utterance.h"
#include "memory/governor.h"
#include "observe/probe/sampler.h"
#include "observe/record/writer.h"
#include "observe/watch/kernel_log.h"

namespace headroom::app {

class Recording {
 public:
  /// Trouble with the file is no error: status() of the writer says it.
  static Result<std::unique_ptr<Recording>> Open(const std::filesystem::path& file,
                                                 const std::string& kernel_log = "/dev/kmsg");

  /// Also looks what the kernel has said since the last one. One thread at a time.
  void Measured(const probe::Sample& sample);
  /// What the governor made of it: zones, the tier, speech that waits.
  void Governed(const asr::SchedulerStatus& status, Milliseconds queue);
  void Happened(const Event& event);
  void Acted(const memory::Action& action);
  void TierChanged(const asr::TierEvent& event);
  void Note(record::Event event) { writer_->Note(std::move(event)); }

  const record::Writer& writer() const { return *writer_; }

 private:
  Recording(std::unique_ptr<record::Writer> writer, const std::string& kernel_log)
      : writer_(std::move(writer)), kernel_(kernel_log) {}

  std::unique_ptr<record::Writer> writer_;
  watch::KernelLog kernel_;
  mutable std::mutex mutex_;
  record::ServiceSample service_;  // guarded by mutex_: what was governed last
};

}  // namespace headroom::app
