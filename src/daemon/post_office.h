// The outbox of the running service: spoken commands are obeyed, the text goes to the targets, and
// into the history. Used by the desk's delivery thread; the history by others too.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "daemon/events.h"
#include "daemon/outbox.h"
#include "output/target.h"

namespace headroom::daemon {

class PostOffice : public Outbox {
 public:
  PostOffice(std::vector<std::unique_ptr<output::Target>> targets, EventSink events);

  std::string Compose(const Letter& letter) override;
  Result<> Deliver(const Letter& letter, const std::string& composed) override;
  bool remembers() const override { return false; }

  /// For texts from now on.
  void Replace(std::vector<std::unique_ptr<output::Target>> targets);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<output::Target>> targets_;  // guarded by mutex_
  const EventSink events_;
};

}  // namespace headroom::daemon
