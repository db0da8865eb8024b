// What clients ask of the history: its texts, to deliver one again, to forget them.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "app/daemon/background_task.h"
#include "app/dictation/text_delivery.h"
#include "base/clock.h"
#include "net/control/control.h"
#include "speech/spool/history.h"

namespace headroom::app {

/// One thread at a time, unless said otherwise.
class HistoryController {
 public:
  /// `history` may be null: none is kept. Both must outlive it.
  HistoryController(speech::History* history, TextDelivery& delivery, const Clock& clock);
  /// Waits for a text that is being delivered.
  ~HistoryController() = default;

  /// As net::ControlService's.
  void Get(const net::HistoryRequest& request, net::Answer answer);
  /// The answer comes on another thread, when the text was delivered.
  void Paste(std::optional<std::int64_t> id, net::Answer answer);
  void Clear(net::Answer answer);

  /// Deletes what is too old, now and then; call it often.
  Result<> Expire();
  /// Any thread: a text reached no target.
  void CountUndelivered() { ++undelivered_; }
  std::int64_t undelivered() const { return undelivered_; }  // any thread

 private:
  Result<nlohmann::json> List(const net::HistoryRequest& request);
  Result<speech::HistoryEntry> EntryToPaste(std::optional<std::int64_t> id);
  Result<nlohmann::json> PasteNow(const speech::HistoryEntry& entry);
  Result<nlohmann::json> ClearNow();

  speech::History* const history_;
  TextDelivery& delivery_;
  const Clock& clock_;
  MonoTime expired_;
  std::atomic<std::int64_t> undelivered_{0};
  BackgroundTask pasting_;
};

}  // namespace headroom::app
