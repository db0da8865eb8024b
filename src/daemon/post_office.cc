#include "daemon/post_office.h"

#include <utility>

namespace headroom::daemon {

PostOffice::PostOffice(std::vector<std::unique_ptr<output::Target>> targets, EventSink events)
    : targets_(std::move(targets)), events_(std::move(events)) {}

std::string PostOffice::Compose(const Letter& letter) {
  return letter.text;
}

Result<> PostOffice::Deliver(const Letter& letter, const std::string& composed) {
  const output::Delivery delivery{.id = letter.id, .text = composed, .repeated = letter.repeated};
  Result<> all;
  const std::lock_guard lock(mutex_);
  for (const auto& target : targets_) {
    if (letter.repeated && !target->repeatable()) {
      all = Fail(Errc::kExists, "{}: it may have arrived before the service ended", target->name());
      continue;
    }
    auto delivered = target->Deliver(delivery);
    nlohmann::json data = {
        {"utterance", letter.id}, {"target", target->name()}, {"ok", delivered.has_value()}};
    if (!delivered) data["why"] = delivered.error().what;
    events_({"delivery", std::move(data)});
    if (!delivered) {
      events_({"trouble",
               {{"text", target->name() + ": " + delivered.error().what},
                {"code", Name(delivered.error().code)}}});
      all = std::move(delivered);
    }
  }
  return all;
}

void PostOffice::Replace(std::vector<std::unique_ptr<output::Target>> targets) {
  const std::lock_guard lock(mutex_);
  targets_ = std::move(targets);
}

}  // namespace headroom::daemon
