// What `headroom dictate` shows: finished text on standard output, and on a terminal a line that
// shows what is being said, what recognises it, and memory. Any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/dictation/events.h"
#include "net/control/status.h"

namespace headroom::cli {

class LiveView {
 public:
  LiveView();
  ~LiveView();  // clears the line

  void On(const app::Event& event);
  /// About ten times a second.
  void Show(const net::Status& status);
  /// One paragraph on standard error: utterances, words, latency, memory.
  void Summary();

 private:
  void Print(const std::string& line);
  void ClearLine();

  const bool on_terminal_;
  std::mutex mutex_;
  std::string committed_, tentative_;  // guarded by mutex_, as all below
  bool shown_ = false;
  std::int64_t utterances_ = 0, words_ = 0, troubles_ = 0, undelivered_ = 0;
  Milliseconds audio_{};
  std::vector<std::int64_t> latencies_;  // ms, from the last spoken sample to the text
  std::vector<std::string> tiers_;       // that were used
  std::string worst_ = "safe";
  std::optional<Bytes> most_ram_, most_vram_;
};

}  // namespace headroom::cli
