#include "speech/spool/spool.h"

#include <algorithm>
#include <utility>

#include "audio/format/format.h"
#include "base/check.h"

namespace headroom::speech {
namespace {

constexpr std::int64_t kLeastSlots = 16;
// Marks of the utterance that is being delivered: there is always room for them, and after them the
// whole utterance is free.
constexpr std::int64_t kAlwaysFree = 4;
constexpr std::int64_t kAppend = audio::SamplesIn(Milliseconds(250));
constexpr std::size_t kMostLanguage = 64;

std::int64_t SlotsFor(std::int64_t samples) {
  return (samples + kSlotSamples - 1) / kSlotSamples;
}

std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::Open(const std::filesystem::path& path,
                                           const SpoolOptions& options) {
  const auto doing = "open the spool";
  if (auto made = MakeDirectories(path.parent_path()); !made) return Within(made, "{}", doing);
  auto lock = FileLock::Try(path.string() + ".lock");
  if (!lock && lock.error().code == Errc::kBusy)
    return Fail(Errc::kBusy, "the spool {} is in use by another headroom of yours", path.string());
  if (!lock) return Within(lock, "{}", doing);
  std::filesystem::path set_aside;
  while (true) {
    auto file = OpenBlockFile(path);
    if (!file) return Within(file, "{}", doing);
    const bool created = (*file)->size() == 0;
    auto spool = Over(*std::move(file), options);
    if (spool) {
      TRY(SyncDirectory(path.has_parent_path() ? path.parent_path() : "."));
      (*spool)->lock_ = *std::move(lock);
      (*spool)->repair_.created = created;
      (*spool)->repair_.set_aside = set_aside;
      return spool;
    }
    if (spool.error().code != Errc::kCorrupt || !set_aside.empty())
      return Within(spool, "{}", doing);
    set_aside = path.string() + ".damaged";  // in place of an older one
    std::error_code failed;
    std::filesystem::rename(path, set_aside, failed);
    if (failed) return FailErrno(failed.value(), "set the damaged spool {} aside", path.string());
  }
}

Result<std::unique_ptr<Spool>> Spool::Over(std::unique_ptr<BlockFile> file,
                                           const SpoolOptions& options) {
  std::unique_ptr<Spool> spool(new Spool(std::move(file), options));
  {
    const MutexLock guard(spool->mutex_);
    TRY(spool->Recover());
  }
  return spool;
}

Spool::Spool(std::unique_ptr<BlockFile> file, const SpoolOptions& options)
    : options_(options), file_(std::move(file)) {}

Result<> Spool::Recover() {
  // What is there, read with its tail cut off or torn.
  const std::int64_t found_slots = (file_->size() + kSlotBytes - 1) / kSlotBytes;
  SpoolRecovery recovery(static_cast<std::uint32_t>(found_slots));
  HeaderReading best = HeaderReading::kBlank;
  SpoolHeader header;
  bool blank = true;
  std::vector<std::byte> block(64 * kSlotBytes);
  for (std::int64_t at = 0; at < file_->size(); at += static_cast<std::int64_t>(block.size())) {
    const auto size = std::min(file_->size() - at, static_cast<std::int64_t>(block.size()));
    std::ranges::fill(block, std::byte{0});
    TRY(file_->Read(at, std::span(block).first(static_cast<std::size_t>(size))));
    for (std::int64_t i = 0; i * kSlotBytes < size; ++i) {
      const auto bytes =
          std::span(block).subspan(static_cast<std::size_t>(i * kSlotBytes)).first<kSlotBytes>();
      blank = blank && IsBlank(bytes);
      const std::int64_t number = at / kSlotBytes + i;
      if (number >= kHeaderSlots) {
        recovery.Add(static_cast<std::uint32_t>(number), bytes);
        continue;
      }
      const auto held = std::min(kSlotBytes, file_->size() - number * kSlotBytes);
      SpoolHeader copy;
      const auto reading = DecodeHeader(bytes.first(static_cast<std::size_t>(held)), copy);
      if (reading == HeaderReading::kWhole) {
        if (copy.version != kSpoolVersion)
          return Fail(Errc::kUnsupported,
                      "{}: written by another version of headroom (format {}, this one knows {}); "
                      "let that version deliver what is in it, or move the file away",
                      file_->name(), copy.version, kSpoolVersion);
        if (best != HeaderReading::kWhole || copy.epoch > header.epoch) header = copy;
        best = reading;
      } else if (best == HeaderReading::kBlank || reading == HeaderReading::kDamaged) {
        if (best != HeaderReading::kWhole) best = reading;
      }
    }
  }
  if (best != HeaderReading::kWhole && !recovery.any() && !blank) {
    if (best == HeaderReading::kDamaged)
      return Fail(Errc::kCorrupt, "{}: damaged beyond reading", file_->name());
    return Fail(Errc::kInvalid, "{}: is not a spool; move it away", file_->name());
  }

  RecoveredSpool recovered = recovery.Finish(header.epoch);
  entries_ = std::move(recovered.entries);
  epoch_ = recovered.epoch + 1;

  // It shrinks only when empty, so that there is room for the marks of what is in it.
  std::int64_t slots = std::max(options_.size.n / kSlotBytes, kLeastSlots);
  if (!entries_.empty()) slots = std::max(slots, found_slots);
  if (file_->size() != slots * kSlotBytes) TRY(file_->Resize(slots * kSlotBytes));
  used_.assign(static_cast<std::size_t>(slots), false);
  used_[0] = used_[1] = true;
  free_slots_ = slots - kHeaderSlots;
  for (const auto& [id, entry] : entries_) {
    for (const auto* some : {&entry.slots, &entry.delivered}) {
      for (const std::uint32_t slot : *some) used_[slot] = true, --free_slots_;
    }
  }
  cursor_ = kHeaderSlots;

  TRY(WriteHeaders());
  std::erase_if(recovered.damaged,
                [there = used_.size()](std::uint32_t slot) { return slot >= there; });
  repair_.damaged_slots = static_cast<int>(recovered.damaged.size());
  TRY(Blank(recovered.damaged));
  std::vector<UtteranceId> done, open, lost;
  for (const auto& [id, entry] : entries_) {
    if (entry.state == SpoolState::kOpen) open.push_back(id);
    const bool kept = options_.keep && !entry.slots.empty();
    if (entry.state == SpoolState::kDelivered && !kept) done.push_back(id);
    if (entry.state != SpoolState::kDelivered && entry.audio.empty() && entry.text.empty())
      lost.push_back(id);
  }
  for (const UtteranceId id : done) TRY(Wipe(id));
  repair_.wiped = static_cast<int>(done.size());
  for (const UtteranceId id : lost) TRY(Forget(id, false));  // neither audio nor text
  for (const UtteranceId id : open) {
    if (!entries_.contains(id)) continue;
    SpoolEntry& entry = entries_.at(id);
    const WallTime now = options_.clock->WallNow();
    const auto marked =
        WriteMark(id, entry, SlotKind::kEnd, static_cast<std::uint64_t>(entry.samples),
                  static_cast<std::uint64_t>(std::max<std::int64_t>(1, ToMilliseconds(now))));
    // Without room for the mark the next Open finds it open again.
    if (!marked && marked.error().code != Errc::kNoSpace) return Fail(marked.error());
    entry.cut = now;
    entry.state = SpoolState::kSpooled;
    ++repair_.cut;
  }
  return file_->Sync();
}

Result<> Spool::WriteHeaders() {
  // One after the other, so that one of them is whole at any moment.
  for (std::int64_t copy = 0; copy < kHeaderSlots; ++copy) {
    TRY(file_->Write(copy * kSlotBytes, Encode(SpoolHeader{.epoch = epoch_})));
    TRY(file_->Sync());
  }
  return {};
}

Result<UtteranceId> Spool::Begin(const UtteranceHead& head) {
  const MutexLock guard(mutex_);
  const UtteranceId id = (epoch_ << 32) | ++count_;
  SpoolEntry entry;
  entry.head = head;
  entry.head.language.resize(std::min(entry.head.language.size(), kMostLanguage));
  entries_.emplace(id, std::move(entry));
  return id;
}

Result<> Spool::Append(UtteranceId id, std::span<const float> samples) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(SpoolEntry* const entry, Find(id, SpoolState::kOpen, SpoolState::kOpen, "append to"));
  std::int64_t at = entry->samples;
  entry->samples += static_cast<std::int64_t>(samples.size());
  if (entry->slots.empty()) {
    const Slot head{.kind = SlotKind::kHead,
                    .utterance = id,
                    .at = entry->head.session,
                    .extra = static_cast<std::uint64_t>(ToMilliseconds(entry->head.began)),
                    .payload = AsBytes(entry->head.language)};
    TRY_ASSIGN(const std::uint32_t slot, Write(head, Reserved()));
    entry->slots.push_back(slot);
  }
  std::vector<std::byte> payload;
  while (!samples.empty()) {
    const auto some = samples.first(std::min<std::size_t>(samples.size(), kSlotSamples));
    payload.resize(2 * some.size());
    EncodeSamples(some, payload);
    TRY_ASSIGN(const std::uint32_t slot, Write({.kind = SlotKind::kAudio,
                                                .utterance = id,
                                                .at = static_cast<std::uint64_t>(at),
                                                .payload = payload},
                                               Reserved()));
    entry->slots.push_back(slot);
    entry->audio.push_back({slot, static_cast<std::uint32_t>(some.size()), at});
    at += static_cast<std::int64_t>(some.size());
    samples = samples.subspan(some.size());
  }
  return file_->Sync();
}

Result<> Spool::End(UtteranceId id, std::int64_t samples) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(SpoolEntry* const entry, Find(id, SpoolState::kOpen, SpoolState::kOpen, "end"));
  if (samples < 0 || samples > entry->samples)
    return Fail(Errc::kInvalid, "end utterance {} at {} of {} samples", id, samples,
                entry->samples);
  TRY(WriteMark(id, *entry, SlotKind::kEnd, static_cast<std::uint64_t>(samples), 0));
  entry->samples = samples;
  entry->state = SpoolState::kSpooled;
  return file_->Sync();
}

Result<> Spool::SetDecoded(UtteranceId id, std::string_view text) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(SpoolEntry* const entry,
             Find(id, SpoolState::kSpooled, SpoolState::kSpooled, "keep the text of"));
  const std::size_t parts =
      std::max<std::size_t>(1, (text.size() + kSlotPayload - 1) / kSlotPayload);
  // One part has its place reserved; all of them are written, or none.
  TRY(MakeRoom(static_cast<std::int64_t>(parts) + (parts > 1 ? Reserved() : 0)));
  for (std::size_t part = 0; part < parts; ++part) {
    const std::string_view piece = text.substr(part * kSlotPayload, kSlotPayload);
    TRY_ASSIGN(const std::uint32_t slot, Write({.kind = SlotKind::kText,
                                                .utterance = id,
                                                .at = part,
                                                .extra = parts,
                                                .payload = AsBytes(piece)},
                                               0));
    entry->slots.push_back(slot);
  }
  entry->text = text;
  entry->state = SpoolState::kDecoded;
  return file_->Sync();
}

Result<> Spool::SetOffered(UtteranceId id) {
  const MutexLock guard(mutex_);
  TRY_ASSIGN(SpoolEntry* const entry,
             Find(id, SpoolState::kSpooled, SpoolState::kDecoded, "offer"));
  TRY(MakeRoom(3));  // the mark that it was delivered must find room, too
  // Twice, so that no single damage makes an offered text one to be typed.
  TRY(WriteMark(id, *entry, SlotKind::kOffered, 0, 0));
  TRY(WriteMark(id, *entry, SlotKind::kOffered, 0, 0));
  entry->state = SpoolState::kOffered;
  return file_->Sync();
}

Result<> Spool::SetDelivered(UtteranceId id) {
  const MutexLock guard(mutex_);
  TRY(Find(id, SpoolState::kSpooled, SpoolState::kOffered, "end the delivery of"));
  return Forget(id, options_.keep);
}

Result<> Spool::Discard(UtteranceId id) {
  const MutexLock guard(mutex_);
  TRY(Find(id, SpoolState::kOpen, SpoolState::kOffered, "discard"));
  return Forget(id, false);
}

std::vector<Pending> Spool::pending() const {
  const MutexLock guard(mutex_);
  std::vector<Pending> all;
  for (const auto& [id, entry] : entries_) {
    if (entry.state == SpoolState::kDelivered) continue;
    Pending pending{.id = id,
                    .state = entry.state,
                    .head = entry.head,
                    .samples = entry.samples,
                    .text = entry.text,
                    .gap = std::nullopt};
    if (entry.cut) pending.gap = {FromMilliseconds(entry.last_written), *entry.cut};
    all.push_back(std::move(pending));
  }
  return all;
}

Result<std::vector<float>> Spool::Audio(UtteranceId id) const {
  const MutexLock guard(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.state == SpoolState::kDelivered)
    return Fail(Errc::kNotFound, "utterance {} is not in the spool", id);
  const SpoolEntry& entry = found->second;
  std::vector<float> samples(static_cast<std::size_t>(entry.samples));
  SlotBytes bytes;
  for (const AudioPiece& piece : entry.audio) {
    if (piece.first >= entry.samples) break;
    TRY(file_->Read(piece.slot * kSlotBytes, bytes));
    const auto slot = DecodeSlot(bytes);
    if (!slot || slot->utterance != id || slot->payload.size() / 2 != piece.samples) continue;
    const auto into = std::span(samples).subspan(static_cast<std::size_t>(piece.first));
    const std::size_t size = std::min<std::size_t>(piece.samples, into.size());
    DecodeSamples(slot->payload.first(2 * size), into.first(size));
  }
  return samples;
}

Milliseconds Spool::free() const {
  const MutexLock guard(mutex_);
  std::int64_t slots = free_slots_;
  for (const auto& [id, entry] : entries_)
    if (entry.state == SpoolState::kDelivered)
      slots += static_cast<std::int64_t>(entry.slots.size() + entry.delivered.size());
  slots -= Reserved() + 3;  // and what another utterance takes besides audio
  return audio::DurationOf(std::max<std::int64_t>(0, slots) / SlotsFor(kAppend) * kAppend);
}

Result<SpoolEntry*> Spool::Find(UtteranceId id, SpoolState at_least, SpoolState at_most,
                                std::string_view doing) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    return Fail(Errc::kNotFound, "{} utterance {}: it is not in the spool", doing, id);
  if (found->second.state < at_least || found->second.state > at_most)
    return Fail(Errc::kInvalid, "{} utterance {}: it is in another state", doing, id);
  return &found->second;
}

// `reserve`: so many slots must stay free besides.
Result<std::uint32_t> Spool::Write(const Slot& slot, std::int64_t reserve) {
  TRY(MakeRoom(1 + reserve));
  while (used_[cursor_]) cursor_ = (cursor_ + 1) % used_.size();
  const std::size_t number = cursor_;
  Slot stamped = slot;
  stamped.written = ToMilliseconds(options_.clock->WallNow());
  TRY(file_->Write(static_cast<std::int64_t>(number) * kSlotBytes, Encode(stamped)));
  used_[number] = true;
  --free_slots_;
  entries_.at(slot.utterance).last_written = stamped.written;
  return static_cast<std::uint32_t>(number);
}

Result<> Spool::WriteMark(UtteranceId id, SpoolEntry& entry, SlotKind kind, std::uint64_t at,
                          std::uint64_t extra) {
  const std::int64_t last_written = entry.last_written;
  TRY_ASSIGN(const std::uint32_t slot,
             Write({.kind = kind, .utterance = id, .at = at, .extra = extra, .payload = {}}, 0));
  if (extra != 0) entry.last_written = last_written;  // when it was cut, not when that was noticed
  (kind == SlotKind::kDelivered ? entry.delivered : entry.slots).push_back(slot);
  return {};
}

// The mark is on disk before anything else goes, so that what is left of a wiping that was
// interrupted is never taken for speech to deliver.
Result<> Spool::Forget(UtteranceId id, bool keep) {
  SpoolEntry& entry = entries_.at(id);
  if (entry.slots.empty()) {  // nothing on disk
    entries_.erase(id);
    return {};
  }
  TRY(WriteMark(id, entry, SlotKind::kDelivered, 0, 0));
  TRY(file_->Sync());
  entry.state = SpoolState::kDelivered;
  return keep ? Result<>{} : Wipe(id);
}

Result<> Spool::Wipe(UtteranceId id) {
  const SpoolEntry& entry = entries_.at(id);
  TRY(Blank(entry.slots));
  TRY(file_->Sync());
  TRY(Blank(entry.delivered));
  for (const auto* some : {&entry.slots, &entry.delivered}) {
    for (const std::uint32_t slot : *some) used_[slot] = false, ++free_slots_;
  }
  entries_.erase(id);
  return {};
}

Result<> Spool::Blank(std::span<const std::uint32_t> slots) {
  static constexpr std::size_t kMost = 16;
  static constexpr std::array<std::byte, kMost * kSlotBytes> kZeros{};
  std::vector<std::uint32_t> sorted(slots.begin(), slots.end());
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t run = 1;
    while (i + run < sorted.size() && run < kMost && sorted[i + run] == sorted[i] + run) ++run;
    TRY(file_->Write(sorted[i] * kSlotBytes, std::span(kZeros).first(run * kSlotBytes)));
    i += run;
  }
  return {};
}

Result<> Spool::MakeRoom(std::int64_t slots) {
  while (free_slots_ < slots) {
    const auto kept = std::ranges::find_if(
        entries_, [](const auto& one) { return one.second.state == SpoolState::kDelivered; });
    if (kept == entries_.end())
      return Fail(Errc::kNoSpace, "{}: full of speech that is not delivered yet", file_->name());
    TRY(Wipe(kept->first));
  }
  return {};
}

// What must stay free so that every utterance can still be ended and get a text.
std::int64_t Spool::Reserved() const {
  std::int64_t slots = kAlwaysFree;
  for (const auto& [id, entry] : entries_) {
    if (entry.state == SpoolState::kOpen) ++slots;
    if (entry.state <= SpoolState::kSpooled) ++slots;
  }
  return slots;
}

}  // namespace headroom::speech
