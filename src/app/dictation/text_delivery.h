// The outbox of the running service: spoken commands are obeyed, the text goes to the targets, and
// into the history. Thread-safe: the desk's delivery thread, and whoever pastes or reloads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/dictation/delivery_sink.h"
#include "app/dictation/events.h"
#include "app/output/target.h"
#include "speech/spool/history.h"
#include "speech/text/rewrite.h"

namespace headroom::app {

struct DeliverySettings {
  std::vector<std::unique_ptr<output::Target>> targets;
  speech::RewriteOptions rewrite;               // but for own commands
  std::map<std::string, Phrases> own_commands;  // by language
  std::string language;                         // of a text that does not name its own
};

class TextDelivery : public DeliverySink {
 public:
  /// `history` may be null, and outlives this.
  TextDelivery(DeliverySettings settings, speech::History* history, EventSink events);

  std::string Compose(const FinalText& final_text) override;
  Result<> Deliver(const FinalText& final_text, const std::string& composed) override;
  bool Remember(const FinalText& final_text, const std::string& composed, const Result<>& arrived,
                Milliseconds latency) override;

  /// Delivers an entry of the history once more, whatever became of it before. Blocks as Deliver.
  Result<> Paste(const speech::HistoryEntry& entry);
  /// For texts from now on.
  void Replace(DeliverySettings settings);

 private:
  Result<> ToTargets(const output::Delivery& delivery);
  void TakeBack();
  const speech::Rewriter& RewriterFor(const std::string& language);
  std::string TargetNames();

  speech::History* const history_;
  const EventSink events_;
  std::mutex mutex_;
  DeliverySettings settings_;                                           // guarded by mutex_
  std::map<std::string, std::unique_ptr<speech::Rewriter>> rewriters_;  // the same; by language
};

}  // namespace headroom::app
