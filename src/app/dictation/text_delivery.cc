#include "app/dictation/text_delivery.h"

#include <utility>

namespace headroom::app {
namespace {

// Ids of texts that are pasted: never those of an utterance, so that no target takes them for
// known.
constexpr std::uint64_t kPasted = 1ULL << 63;

}  // namespace

TextDelivery::TextDelivery(DeliverySettings settings, speech::History* history, EventSink events)
    : history_(history),
      events_(std::move(events)),
      setup_(std::make_shared<Setup>(std::move(settings))) {}

std::shared_ptr<TextDelivery::Setup> TextDelivery::setup() const {
  const MutexLock lock(mutex_);
  return setup_;
}

void TextDelivery::Publish(const std::vector<Event>& events) const {
  for (const Event& event : events) events_(event);
}

const speech::Rewriter& TextDelivery::RewriterFor(Setup& setup, const std::string& language,
                                                  std::vector<Event>& events) {
  auto& rewriter = setup.rewriters[language];
  if (rewriter) return *rewriter;
  speech::RewriteOptions options = setup.settings.rewrite;
  const auto& own_commands = setup.settings.own_commands;
  if (const auto own = own_commands.find(language); own != own_commands.end())
    options.own_commands = own->second;
  auto table = speech::LoadRewriteTable(language);
  if (!table) {
    events.emplace_back(net::Warning{Error(table.error()).Within("spoken commands")});
  }
  rewriter = std::make_unique<speech::Rewriter>(table ? std::move(*table) : speech::RewriteTable{},
                                                options);
  return *rewriter;
}

std::string TextDelivery::Compose(const FinalText& final_text) {
  std::vector<Event> events;
  std::string text;
  {
    const MutexLock lock(targets_);
    const auto setup = this->setup();
    const std::string& language =
        final_text.language.empty() ? setup->settings.language : final_text.language;
    speech::Rewritten rewritten = RewriterFor(*setup, language, events).Rewrite(final_text.text);
    text = std::move(rewritten.text);
    for (const auto& target : setup->settings.targets) {
      if (!rewritten.scratch_previous) break;
      const auto taken = target->TakeBack();
      if (!taken) events.emplace_back(net::Notice{"scratch that: " + taken.error().what});
    }
  }
  Publish(events);
  return text;
}

Result<> TextDelivery::ToTargets(const output::Delivery& delivery) {
  Result<> all;
  std::vector<Event> events;
  {
    const MutexLock lock(targets_);
    const auto setup = this->setup();
    for (const auto& target : setup->settings.targets) {
      Result<> delivered = delivery.repeated && !target->repeatable()
                               ? Fail(Errc::kExists, "it may have arrived before the service ended")
                               : target->Deliver(delivery);
      net::TargetTried tried{delivery.id, target->name(), std::nullopt};
      if (!delivered) tried.failure = delivered.error();
      events.emplace_back(std::move(tried));
      if (!delivered)
        all = Fail(delivered.error().code, "{}: {}", target->name(), delivered.error().what);
    }
  }
  if (!all) events.emplace_back(net::Warning{all.error()});
  Publish(events);
  return all;
}

Result<> TextDelivery::Deliver(const FinalText& final_text, const std::string& composed) {
  return ToTargets({.id = final_text.id, .text = composed, .repeated = final_text.repeated});
}

bool TextDelivery::Remember(const FinalText& final_text, const std::string& composed,
                            const Result<>& arrived, std::optional<Milliseconds> latency) {
  if (history_ == nullptr) return false;
  speech::HistoryEntry entry;
  entry.utterance = final_text.id;
  entry.at = final_text.spoken;
  entry.text = composed;
  entry.tier = final_text.tier;
  const auto setup = this->setup();
  for (const auto& target : setup->settings.targets)
    entry.target += (entry.target.empty() ? "" : ", ") + target->name();
  entry.latency = latency;
  if (!arrived) {
    entry.arrival = arrived.error().code == Errc::kExists ? speech::Arrival::kUncertain
                                                          : speech::Arrival::kUndelivered;
    entry.why = arrived.error().what;
  }
  const auto added = history_->Add(entry);
  if (!added) events_(net::Warning{Error(added.error()).Within("history")});
  return added && history_->on();
}

Result<> TextDelivery::Paste(const speech::HistoryEntry& entry) {
  const auto now = SystemClock().WallNow().time_since_epoch() / std::chrono::microseconds(1);
  return ToTargets({.id = kPasted | static_cast<std::uint64_t>(now), .text = entry.text});
}

void TextDelivery::Replace(DeliverySettings settings) {
  auto setup = std::make_shared<Setup>(std::move(settings));
  const MutexLock lock(mutex_);
  setup_.swap(setup);  // what was there goes after the lock, or after the delivery that uses it
}

}  // namespace headroom::app
