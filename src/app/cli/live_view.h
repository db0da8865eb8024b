// What `headroom dictate` shows: finished text on standard output, and on a terminal a line that
// shows what is being said, what recognises it, and memory. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/dictation/events.h"
#include "base/mutex.h"
#include "net/control/status.h"

namespace headroom::cli {

class LiveView {
 public:
  LiveView();
  ~LiveView();  // clears the line

  void On(const app::Event& event);
  /// Called about ten times a second.
  void Show(const net::Status& status);
  /// One paragraph on standard error: utterances, words, latency, memory.
  void Summary();

 private:
  void OnText(const net::TextDelivered& event) REQUIRES(mutex_);
  void Print(const std::string& line) REQUIRES(mutex_);
  void ClearLine() REQUIRES(mutex_);

  const bool on_terminal_;
  Mutex mutex_;
  std::string committed_ GUARDED_BY(mutex_), tentative_ GUARDED_BY(mutex_);
  bool shown_ GUARDED_BY(mutex_) = false;
  std::size_t utterances_ GUARDED_BY(mutex_) = 0, words_ GUARDED_BY(mutex_) = 0;
  std::size_t warnings_ GUARDED_BY(mutex_) = 0, undelivered_ GUARDED_BY(mutex_) = 0;
  Milliseconds audio_ GUARDED_BY(mutex_){};
  std::vector<std::int64_t> latencies_
      GUARDED_BY(mutex_);  // ms, from the last spoken sample to the text
  std::vector<std::string> tiers_ GUARDED_BY(mutex_);  // in order of first use
  std::string worst_ GUARDED_BY(mutex_) = "safe";
  std::optional<Bytes> most_ram_ GUARDED_BY(mutex_), most_vram_ GUARDED_BY(mutex_);
};

}  // namespace headroom::cli
