// What the service says of itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/config/config.h"
#include "app/dictation/dictation.h"
#include "app/dictation/utterance_pipeline.h"
#include "asr/scheduler/utterance.h"
#include "audio/capture/source.h"
#include "base/mutex.h"
#include "net/control/event.h"
#include "net/control/status.h"

namespace headroom::app {

/// Where the numbers come from; any thread may call these.
struct StatusSources {
  std::function<asr::SchedulerStatus()> scheduler;
  std::function<PipelineStatus()> pipeline;
  std::function<DictationState()> state;
  std::function<audio::SourceReport()> source;
  /// Whether nothing new is taken of other programs, and how many are served.
  std::function<std::pair<bool, int>()> served;
  std::function<std::int64_t()> undelivered;
  std::function<int()> yields;
};

/// Any thread.
class StatusView {
 public:
  StatusView(StatusSources sources, const Clock& clock);

  net::Status Now() const EXCLUDES(mutex_);
  /// The status, where it differs for a person from what this gave last.
  std::optional<net::Status> Changed() EXCLUDES(mutex_);

  void SetSpeech(ListenMode mode, std::string language) EXCLUDES(mutex_);
  /// A line about `topic`, in place of the one before; "": there is none any more.
  void SetWarning(const std::string& topic, std::string text) EXCLUDES(mutex_);
  /// Partial text, the microphone's trouble, the last warning.
  void On(const net::Event& event) EXCLUDES(mutex_);

 private:
  void SetPartial(std::string text) EXCLUDES(mutex_);

  const StatusSources sources_;
  const Clock& clock_;
  const MonoTime began_;
  mutable Mutex mutex_;
  ListenMode mode_ GUARDED_BY(mutex_) = ListenMode::kToggle;
  std::string language_ GUARDED_BY(mutex_);
  std::string partial_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, std::string>> warnings_ GUARDED_BY(mutex_);  // topic, text
  std::string given_ GUARDED_BY(mutex_);                                          // by Changed
};

}  // namespace headroom::app
