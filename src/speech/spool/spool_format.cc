#include "speech/spool/spool_format.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace headroom::speech {
namespace {

constexpr std::string_view kMagic{"HEADROOM SPOOL\n\0", 16};
constexpr std::size_t kHeaderBytes = 32;  // magic, version, slot size, epoch; then their CRC

// Little-endian, whatever the machine.
template <class T>
void Put(std::span<std::byte> bytes, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes[at + i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
}

template <class T>
T Get(std::span<const std::byte> bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  return static_cast<T>(value);
}

std::uint32_t Crc(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

}  // namespace

SlotBytes Encode(const SpoolHeader& header) {
  SlotBytes bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  Put(bytes, 16, header.version);
  Put(bytes, 20, static_cast<std::uint32_t>(kSlotBytes));
  Put(bytes, 24, header.epoch);
  Put(bytes, kHeaderBytes, Crc(std::span(bytes).first(kHeaderBytes)));
  return bytes;
}

HeaderReading DecodeHeader(std::span<const std::byte> bytes, SpoolHeader& header) {
  if (IsBlank(bytes)) return HeaderReading::kBlank;
  const std::size_t compared = std::min(bytes.size(), kMagic.size());
  if (std::memcmp(bytes.data(), kMagic.data(), compared) != 0) return HeaderReading::kForeign;
  if (bytes.size() < kHeaderBytes + 4 ||
      Get<std::uint32_t>(bytes, kHeaderBytes) != Crc(bytes.first(kHeaderBytes)))
    return HeaderReading::kDamaged;
  header.version = Get<std::uint32_t>(bytes, 16);
  header.epoch = Get<std::uint64_t>(bytes, 24);
  return HeaderReading::kWhole;
}

SlotBytes Encode(const Slot& slot) {
  CHECK(slot.payload.size() <= kSlotPayload && slot.utterance != 0);
  SlotBytes bytes{};
  Put(bytes, 4, static_cast<std::uint8_t>(slot.kind));
  Put(bytes, 6, static_cast<std::uint16_t>(slot.payload.size()));
  Put(bytes, 8, slot.utterance);
  Put(bytes, 16, slot.at);
  Put(bytes, 24, slot.extra);
  Put(bytes, 32, slot.written);
  std::ranges::copy(slot.payload, bytes.begin() + 40);
  Put(bytes, 0, Crc(std::span(bytes).subspan(4)));
  return bytes;
}

std::optional<Slot> DecodeSlot(std::span<const std::byte, kSlotBytes> bytes) {
  const auto kind = Get<std::uint8_t>(bytes, 4);
  const auto length = Get<std::uint16_t>(bytes, 6);
  const Slot slot{.kind = static_cast<SlotKind>(kind),
                  .utterance = Get<UtteranceId>(bytes, 8),
                  .at = Get<std::uint64_t>(bytes, 16),
                  .extra = Get<std::uint64_t>(bytes, 24),
                  .written = Get<std::int64_t>(bytes, 32),
                  .payload = bytes.subspan(40, std::min<std::size_t>(length, kSlotPayload))};
  const bool known = kind >= static_cast<std::uint8_t>(SlotKind::kHead) &&
                     kind <= static_cast<std::uint8_t>(SlotKind::kDelivered);
  if (!known || length > kSlotPayload || slot.utterance == 0) return std::nullopt;
  if (Get<std::uint32_t>(bytes, 0) != Crc(bytes.subspan(4))) return std::nullopt;
  return slot;
}

bool IsBlank(std::span<const std::byte> bytes) {
  if (bytes.empty()) return true;
  // The first is zero, and each is like the one before it.
  return bytes[0] == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

void EncodeSamples(std::span<const float> samples, std::span<std::byte> into) {
  CHECK(into.size() == 2 * samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const float scaled = std::clamp(std::round(samples[i] * 32768.0F), -32768.0F, 32767.0F);
    Put(into, 2 * i, static_cast<std::int16_t>(scaled));
  }
}

void DecodeSamples(std::span<const std::byte> bytes, std::span<float> into) {
  CHECK(bytes.size() == 2 * into.size());
  for (std::size_t i = 0; i < into.size(); ++i)
    into[i] = static_cast<float>(Get<std::int16_t>(bytes, 2 * i)) / 32768.0F;
}

std::int64_t ToMilliseconds(WallTime time) {
  return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}

WallTime FromMilliseconds(std::int64_t ms) {
  // Beyond a thousand years it is damage, and would overflow the clock's nanoseconds.
  constexpr std::int64_t kFar = std::int64_t{100} * 365 * 24 * 3600 * 1000;
  return WallTime(Milliseconds(std::clamp<std::int64_t>(ms, 0, kFar)));
}

}  // namespace headroom::speech
