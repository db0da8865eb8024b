// The outbox of the running service: spoken commands are obeyed, the text goes to the targets, and
// into the history. Thread-safe: the desk's delivery thread, and whoever pastes or reloads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/dictation/events.h"
#include "app/dictation/outbox.h"
#include "app/output/target.h"
#include "speech/spool/history.h"
#include "speech/text/rewrite.h"

namespace headroom::app {

struct PostSettings {
  std::vector<std::unique_ptr<output::Target>> targets;
  speech::RewriteOptions rewrite;               // but for own commands
  std::map<std::string, Phrases> own_commands;  // by language
  std::string language;                         // of a text that does not name its own
};

class PostOffice : public Outbox {
 public:
  /// `history` may be null, and outlives this.
  PostOffice(PostSettings settings, speech::History* history, EventSink events);

  std::string Compose(const Letter& letter) override;
  Result<> Deliver(const Letter& letter, const std::string& composed) override;
  bool Remember(const Letter& letter, const std::string& composed, const Result<>& arrived,
                Milliseconds latency) override;

  /// Delivers an entry of the history once more, whatever became of it before. Blocks as Deliver.
  Result<> Paste(const speech::HistoryEntry& entry);
  /// For texts from now on.
  void Replace(PostSettings settings);

 private:
  Result<> ToTargets(const output::Delivery& delivery);
  void TakeBack();
  const speech::Rewriter& RewriterFor(const std::string& language);
  std::string TargetNames();

  speech::History* const history_;
  const EventSink events_;
  std::mutex mutex_;
  PostSettings settings_;                                               // guarded by mutex_
  std::map<std::string, std::unique_ptr<speech::Rewriter>> rewriters_;  // the same; by language
};

}  // namespace headroom::app
