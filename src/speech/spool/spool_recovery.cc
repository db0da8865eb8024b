#include "speech/spool/spool_recovery.h"

#include <algorithm>
#include <utility>

namespace headroom::speech {

void SpoolRecovery::Add(std::uint32_t number, std::span<const std::byte, kSlotBytes> bytes) {
  if (IsBlank(bytes)) return;
  const auto slot = DecodeSlot(bytes);
  const auto most = static_cast<std::uint64_t>(slots_) * kSlotSamples;
  const bool counts = slot && (slot->kind == SlotKind::kAudio || slot->kind == SlotKind::kEnd);
  if (!slot || (counts && slot->at > most)) {
    damaged_.push_back(number);
    return;
  }
  Found& found = found_[slot->utterance];
  SpoolEntry& entry = found.entry;
  entry.last_written = std::max(entry.last_written, slot->written);
  (slot->kind == SlotKind::kDelivered ? entry.delivered : entry.slots).push_back(number);
  const std::string text(reinterpret_cast<const char*>(slot->payload.data()), slot->payload.size());
  switch (slot->kind) {
    case SlotKind::kHead:
      entry.head = {slot->at, FromMilliseconds(static_cast<std::int64_t>(slot->extra)), text};
      break;
    case SlotKind::kAudio:
      entry.audio.push_back({number, static_cast<std::uint32_t>(slot->payload.size() / 2),
                             static_cast<std::int64_t>(slot->at)});
      break;
    case SlotKind::kEnd:
      found.end = static_cast<std::int64_t>(slot->at);
      if (slot->extra != 0) entry.cut = FromMilliseconds(static_cast<std::int64_t>(slot->extra));
      break;
    case SlotKind::kText:
      found.parts[slot->at] = text;
      found.parts_wanted = slot->extra;
      break;
    case SlotKind::kOffered:
      found.offered = true;
      break;
    case SlotKind::kDelivered:
      break;
  }
}

RecoveredSpool SpoolRecovery::Finish(std::uint64_t header_epoch) {
  RecoveredSpool spool{.entries = {}, .damaged = std::move(damaged_), .epoch = header_epoch};
  for (auto& [id, found] : found_) {
    SpoolEntry& entry = found.entry;
    spool.epoch = std::max(spool.epoch, id >> 32);
    std::ranges::sort(entry.audio, {}, &AudioPiece::first);
    std::int64_t heard = 0;
    for (const AudioPiece& piece : entry.audio)
      heard = std::max(heard, piece.first + static_cast<std::int64_t>(piece.samples));
    entry.samples = found.end ? std::min(*found.end, heard) : heard;
    const auto& parts = found.parts;  // complete when as many as the last part would make
    const bool decoded = !parts.empty() && parts.size() == found.parts_wanted &&
                         parts.rbegin()->first + 1 == found.parts_wanted;
    if (decoded)
      for (const auto& [part, text] : parts) entry.text += text;
    entry.state = !entry.delivered.empty() ? SpoolState::kDelivered
                  : found.offered          ? SpoolState::kOffered
                  : decoded                ? SpoolState::kDecoded
                  : found.end              ? SpoolState::kSpooled
                                           : SpoolState::kOpen;
    spool.entries.emplace(id, std::move(entry));
  }
  found_.clear();
  return spool;
}

}  // namespace headroom::speech
