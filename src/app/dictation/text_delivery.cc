#include "app/dictation/text_delivery.h"

#include <utility>

namespace headroom::app {
namespace {

// Ids of texts that are pasted: never those of an utterance, so that no target takes them for
// known.
constexpr std::uint64_t kPasted = 1ULL << 63;

}  // namespace

TextDelivery::TextDelivery(DeliverySettings settings, speech::History* history, EventSink events)
    : history_(history), events_(std::move(events)), settings_(std::move(settings)) {}

// Called with mutex_ held.
const speech::Rewriter& TextDelivery::RewriterFor(const std::string& language) {
  auto& rewriter = rewriters_[language];
  if (rewriter) return *rewriter;
  speech::RewriteOptions options = settings_.rewrite;
  if (const auto own = settings_.own_commands.find(language); own != settings_.own_commands.end())
    options.own_commands = own->second;
  auto table = speech::LoadRewriteTable(language);
  if (!table) {
    events_(
        {"trouble",
         {{"text", "spoken commands: " + table.error().what}, {"code", Name(table.error().code)}}});
  }
  rewriter = std::make_unique<speech::Rewriter>(table ? std::move(*table) : speech::RewriteTable{},
                                                options);
  return *rewriter;
}

std::string TextDelivery::Compose(const FinalText& final_text) {
  const std::lock_guard lock(mutex_);
  speech::Rewritten rewritten =
      RewriterFor(final_text.language.empty() ? settings_.language : final_text.language)
          .Rewrite(final_text.text);
  if (rewritten.scratch_previous) TakeBack();
  return std::move(rewritten.text);
}

// Called with mutex_ held.
void TextDelivery::TakeBack() {
  for (const auto& target : settings_.targets) {
    const auto taken = target->TakeBack();
    if (!taken) events_({"notice", {{"text", "scratch that: " + taken.error().what}}});
  }
}

// Called with mutex_ held.
Result<> TextDelivery::ToTargets(const output::Delivery& delivery) {
  Result<> all;
  for (const auto& target : settings_.targets) {
    Result<> delivered = delivery.repeated && !target->repeatable()
                             ? Fail(Errc::kExists, "it may have arrived before the service ended")
                             : target->Deliver(delivery);
    nlohmann::json data = {
        {"utterance", delivery.id}, {"target", target->name()}, {"ok", delivered.has_value()}};
    if (!delivered) data["why"] = delivered.error().what;
    events_({"delivery", std::move(data)});
    if (!delivered)
      all = Fail(delivered.error().code, "{}: {}", target->name(), delivered.error().what);
  }
  if (!all) events_({"trouble", {{"text", all.error().what}, {"code", Name(all.error().code)}}});
  return all;
}

Result<> TextDelivery::Deliver(const FinalText& final_text, const std::string& composed) {
  const std::lock_guard lock(mutex_);
  return ToTargets({.id = final_text.id, .text = composed, .repeated = final_text.repeated});
}

std::string TextDelivery::TargetNames() {
  const std::lock_guard lock(mutex_);
  std::string names;
  for (const auto& target : settings_.targets)
    names += (names.empty() ? "" : ", ") + target->name();
  return names;
}

bool TextDelivery::Remember(const FinalText& final_text, const std::string& composed,
                            const Result<>& arrived, Milliseconds latency) {
  if (history_ == nullptr) return false;
  speech::HistoryEntry entry;
  entry.utterance = final_text.id;
  entry.at = final_text.spoken;
  entry.text = composed;
  entry.tier = final_text.tier;
  entry.target = TargetNames();
  if (!final_text.repeated) entry.latency = latency;
  if (!arrived) {
    entry.arrival = arrived.error().code == Errc::kExists ? speech::Arrival::kUncertain
                                                          : speech::Arrival::kUndelivered;
    entry.why = arrived.error().what;
  }
  const auto added = history_->Add(entry);
  if (!added)
    events_({"trouble",
             {{"text", "history: " + added.error().what}, {"code", Name(added.error().code)}}});
  return added && history_->on();
}

Result<> TextDelivery::Paste(const speech::HistoryEntry& entry) {
  const std::lock_guard lock(mutex_);
  const auto now = SystemClock().WallNow().time_since_epoch() / std::chrono::microseconds(1);
  return ToTargets({.id = kPasted | static_cast<std::uint64_t>(now), .text = entry.text});
}

void TextDelivery::Replace(DeliverySettings settings) {
  const std::lock_guard lock(mutex_);
  settings_ = std::move(settings);
  rewriters_.clear();
}

}  // namespace headroom::app
