#include "app/daemon/history_controller.h"

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "net/control/status.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kExpireEvery{5 * 60'000};
// Undelivered texts are few: they are looked for among so many.
constexpr std::size_t kLookedThrough = 1'000;

net::HistoryEntry Shown(const speech::HistoryEntry& entry) {
  net::HistoryEntry shown;
  shown.id = entry.id;
  shown.at = entry.at;
  shown.text = entry.text;
  shown.arrival = Name(entry.arrival);
  shown.why = entry.why;
  shown.targets = entry.target;
  shown.tier = entry.tier;
  shown.latency = entry.latency;
  return shown;
}

}  // namespace

HistoryController::HistoryController(speech::History* history, TextDelivery& delivery,
                                     const Clock& clock)
    : history_(history), delivery_(delivery), clock_(clock), expired_(clock.Now()) {}

Result<nlohmann::json> HistoryController::List(const net::HistoryRequest& request) {
  if (history_ == nullptr) return Fail(Errc::kUnsupported, "no history is kept");
  const auto limit = static_cast<std::size_t>(request.limit);
  TRY_ASSIGN(const auto entries, history_->Last(request.undelivered_only ? kLookedThrough : limit));
  nlohmann::json list = nlohmann::json::array();
  for (const speech::HistoryEntry& entry : entries) {
    if (request.undelivered_only && entry.arrival == speech::Arrival::kDelivered) continue;
    if (list.size() == limit) break;
    list.push_back(net::ToJson(Shown(entry)));
  }
  return nlohmann::json{{"entries", std::move(list)}};
}

void HistoryController::Get(const net::HistoryRequest& request, net::Answer answer) {
  answer(List(request));
}

Result<speech::HistoryEntry> HistoryController::EntryToPaste(std::optional<std::int64_t> id) {
  if (history_ == nullptr) return Fail(Errc::kUnsupported, "no history is kept");
  std::optional<speech::HistoryEntry> entry;
  if (id) {
    TRY_ASSIGN(entry, history_->Find(*id));
  } else {
    TRY_ASSIGN(entry, history_->LastUndelivered());
    if (!entry) {
      TRY_ASSIGN(auto last, history_->Last(1));
      if (!last.empty()) entry = std::move(last.front());
    }
  }
  if (!entry) return Fail(Errc::kNotFound, "there is no such text in the history");
  return std::move(*entry);
}

Result<nlohmann::json> HistoryController::PasteNow(const speech::HistoryEntry& entry) {
  TRY(delivery_.Paste(entry));
  if (entry.arrival != speech::Arrival::kDelivered) {
    TRY(history_->SetArrival(entry.id, speech::Arrival::kDelivered, "pasted"));
    std::int64_t count = undelivered_;
    while (count > 0 && !undelivered_.compare_exchange_weak(count, count - 1)) continue;
  }
  return nlohmann::json{{"id", entry.id}, {"text", entry.text}};
}

void HistoryController::Paste(std::optional<std::int64_t> id, net::Answer answer) {
  if (pasting_.busy()) return answer(Fail(Errc::kBusy, "another text is being pasted"));
  auto entry = EntryToPaste(id);
  if (!entry) return answer(std::unexpected(entry.error()));
  // A long text takes a while to type.
  pasting_.Start([this, entry = std::move(*entry)] { return PasteNow(entry); }, std::move(answer));
}

Result<nlohmann::json> HistoryController::ClearNow() {
  if (history_ == nullptr) return Fail(Errc::kUnsupported, "no history is kept");
  TRY_ASSIGN(const auto all, history_->Last(std::numeric_limits<int>::max()));
  TRY(history_->Clear());
  undelivered_ = 0;
  return nlohmann::json{{"forgotten", all.size()}};
}

void HistoryController::Clear(net::Answer answer) {
  answer(ClearNow());
}

Result<> HistoryController::Expire() {
  if (history_ == nullptr || clock_.Now() - expired_ < kExpireEvery) return {};
  expired_ = clock_.Now();
  if (auto gone = history_->Expire(); !gone) return Within(gone, "old texts cannot be deleted");
  return {};
}

}  // namespace headroom::app
