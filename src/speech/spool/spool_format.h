// The bytes of the spool file (docs/spool.md): two copies of a header, then slots of 4 KiB, each
// whole or worthless by its own CRC, in no particular order. What an utterance's slots say together
// is its state; so a torn or flipped slot costs what it held and nothing else. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"

namespace headroom::speech {

/// Never 0, never used again, also not after a restart; later utterances have higher ones.
using UtteranceId = std::uint64_t;

inline constexpr std::int64_t kSlotBytes = 4096;
inline constexpr std::int64_t kHeaderSlots = 2;  // copies of the header
inline constexpr std::uint32_t kSpoolVersion = 1;
using SlotBytes = std::array<std::byte, kSlotBytes>;

struct SpoolHeader {
  std::uint32_t version = kSpoolVersion;
  std::uint64_t epoch = 0;  // how often the file was opened; the upper half of ids
};
SlotBytes Encode(const SpoolHeader& header);

enum class HeaderReading { kWhole, kDamaged, kBlank, kForeign };
/// `bytes`: the slot, or as much of it as the file has. kDamaged: it was ours once.
HeaderReading DecodeHeader(std::span<const std::byte> bytes, SpoolHeader& header);

enum class SlotKind : std::uint8_t {
  kHead = 1,       // at: session, extra: wall time of the beginning; payload: language
  kAudio = 2,      // at: first sample in the utterance; payload: 16-bit samples
  kEnd = 3,        // at: samples in all; extra: 0, or for a cut one when that was found (wall time)
  kText = 4,       // at: part, extra: number of parts; payload: UTF-8
  kOffered = 5,    // delivery was begun
  kDelivered = 6,  // done; whatever else there is of it is only not wiped yet
};

struct Slot {
  SlotKind kind = SlotKind::kHead;
  UtteranceId utterance = 0;
  std::uint64_t at = 0;
  std::uint64_t extra = 0;
  std::int64_t written = 0;  // wall time in ms since 1970; for showing only
  std::span<const std::byte> payload;
};
inline constexpr std::size_t kSlotPayload = kSlotBytes - 40;
inline constexpr std::int64_t kSlotSamples = kSlotPayload / 2;

/// CHECKs that the payload fits.
SlotBytes Encode(const Slot& slot);
/// nullopt: not whole. The payload points into `bytes`.
std::optional<Slot> DecodeSlot(std::span<const std::byte, kSlotBytes> bytes);
bool IsBlank(std::span<const std::byte> bytes);

/// Samples as they are kept, rounded and clipped to 16 bit, and back.
void EncodeSamples(std::span<const float> samples, std::span<std::byte> into);
void DecodeSamples(std::span<const std::byte> bytes, std::span<float> into);

std::int64_t ToMilliseconds(WallTime time);
WallTime FromMilliseconds(std::int64_t ms);

}  // namespace headroom::speech
