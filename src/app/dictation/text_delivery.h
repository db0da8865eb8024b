// Where the running service delivers: spoken commands are obeyed, the text goes to the targets, and
// into the history. Thread-safe: the pipeline's delivery thread, and those that paste or reload.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/dictation/delivery_sink.h"
#include "app/dictation/events.h"
#include "app/output/target.h"
#include "base/mutex.h"
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
                std::optional<Milliseconds> latency) override;

  /// Delivers an entry of the history once more, whatever became of it before. Blocks as Deliver.
  Result<> Paste(const speech::HistoryEntry& entry);
  /// For texts from now on.
  void Replace(DeliverySettings settings);

 private:
  struct Setup {
    DeliverySettings settings;
    std::map<std::string, std::unique_ptr<speech::Rewriter>> rewriters;  // by language
  };

  std::shared_ptr<Setup> setup() const EXCLUDES(mutex_);
  Result<> ToTargets(const output::Delivery& delivery) EXCLUDES(targets_);
  const speech::Rewriter& RewriterFor(Setup& setup, const std::string& language,
                                      std::vector<Event>& events) REQUIRES(targets_);
  void Publish(const std::vector<Event>& events) const;

  speech::History* const history_;
  const EventSink events_;
  // Serialises the targets and rewriters: held while targets write, by the two threads that deliver
  // and paste; no event is published and no other mutex is taken under it but mutex_.
  Mutex targets_;
  mutable Mutex mutex_;  // taken after targets_
  std::shared_ptr<Setup> setup_ GUARDED_BY(mutex_);
};

}  // namespace headroom::app
