#include "audio/decode/decode_truncation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace headroom::audio {
namespace {

std::uint64_t BigEndian(std::span<const std::uint8_t> bytes) {
  std::uint64_t n = 0;
  for (const std::uint8_t byte : bytes) n = n << 8 | byte;
  return n;
}

std::optional<std::string> Missing(std::uint64_t declared_end, std::int64_t size) {
  const auto have = static_cast<std::uint64_t>(size);
  if (declared_end <= have || declared_end > std::uint64_t{1} << 62) return std::nullopt;
  const Bytes missing(static_cast<std::int64_t>(declared_end - have));
  return fmt::format("{} are missing at its end", FormatDecimal(missing));
}

std::uint64_t LittleEndian(std::span<const std::uint8_t> bytes) {
  std::uint64_t n = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) n = n << 8 | bytes[i];
  return n;
}

bool Is(std::span<const std::uint8_t> tag, std::string_view name) {
  return std::equal(name.begin(), name.end(), tag.begin());
}

// ISO/IEC 14496-12, 4.2: a box is a 32-bit size, a type, and for size 1 a 64-bit size; size 0 means
// to the end of the file.
std::optional<std::string> FindCutInBoxes(DecodeInput& input) {
  constexpr int kMostBoxes = 100000;
  std::uint64_t at = 0;
  for (int i = 0; i < kMostBoxes; ++i) {
    std::array<std::uint8_t, 16> head;
    const std::size_t n = input.ReadAt(static_cast<std::int64_t>(at), head);
    if (n < 8) return n == 0 ? std::nullopt : Missing(at + 8, input.end());
    std::uint64_t size = BigEndian(std::span(head).first(4));
    if (size == 0) return std::nullopt;
    if (size == 1 && n == 16) size = BigEndian(std::span(head).subspan(8, 8));
    if (size < 8 || size > std::uint64_t{1} << 61) return std::nullopt;
    at += size;
    if (at > static_cast<std::uint64_t>(input.end())) return Missing(at, input.end());
  }
  return std::nullopt;
}

struct Element {
  std::uint64_t id = 0, size = 0, payload = 0;  // payload: its offset
  bool size_known = false;
};

// RFC 8794: an identifier and a size, both variable-length integers; a size of ones is unknown.
std::optional<Element> ReadElement(DecodeInput& input, std::uint64_t at) {
  std::array<std::uint8_t, 12> head{};
  if (input.ReadAt(static_cast<std::int64_t>(at), head) < 2) return std::nullopt;
  const auto id_bytes = static_cast<std::size_t>(std::countl_zero(head[0])) + 1;
  if (id_bytes > 4) return std::nullopt;
  const std::uint8_t lead = head[id_bytes];
  const auto size_bytes = static_cast<std::size_t>(std::countl_zero(lead)) + 1;
  if (size_bytes > 8) return std::nullopt;
  const std::uint64_t value_bits = (std::uint64_t{1} << (7 * size_bytes)) - 1;
  const std::uint64_t size = BigEndian(std::span(head).subspan(id_bytes, size_bytes)) & value_bits;
  return Element{.id = BigEndian(std::span(head).first(id_bytes)),
                 .size = size,
                 .payload = at + id_bytes + size_bytes,
                 .size_known = size != value_bits};
}

std::optional<std::string> FindCutInSegment(DecodeInput& input) {
  const auto head = ReadElement(input, 0);
  if (!head || head->id != 0x1A45DFA3 || head->size > 1 << 20) return std::nullopt;
  const auto segment = ReadElement(input, head->payload + head->size);
  if (!segment || segment->id != 0x18538067 || !segment->size_known) return std::nullopt;
  return Missing(segment->payload + segment->size, input.end());
}

// RFC 3533, 6: "OggS", version 0, flags (4: last page of its stream), ..., at 26 the number of
// segments and their lengths. Only a page that reaches the end of the bytes counts as the last, so
// "OggS" inside of audio data is ignored.
std::optional<std::string> FindCutInPages(std::span<const std::uint8_t> tail) {
  constexpr std::size_t kHeader = 27;
  for (std::size_t at = tail.size(); at-- > 0;) {
    const auto page = tail.subspan(at);
    if (page.size() < 5 || BigEndian(page.first(4)) != 0x4F676753 || page[4] != 0) continue;
    if (page.size() < kHeader || page.size() < kHeader + page[26]) return "its last page is cut";
    const auto lengths = page.subspan(kHeader, page[26]);
    const std::size_t length = std::accumulate(lengths.begin(), lengths.end(), kHeader + page[26]);
    if (length > page.size()) return "its last page is cut";
    if (length == page.size() && (page[5] & 4) == 0) return "its end mark is missing";
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

// "RIFF", size, "WAVE", then chunks: a name, a 32-bit size, the bytes, one more when that is odd.
// RF64 and BW64 (EBU Tech 3306) keep the true size of "data" in "ds64".
std::optional<ByteRange> FindWavData(DecodeInput& input) {
  constexpr int kMostChunks = 1000;
  // Recorders that write to a pipe put 0, all ones or just under 2 GiB.
  constexpr std::uint64_t kNotKnown = 0x7FFF0000;
  std::array<std::uint8_t, 24> head{};
  if (input.ReadAt(0, head) < 12 || !Is(std::span(head).subspan(8), "WAVE")) return std::nullopt;
  std::uint64_t large_size = 0;
  std::int64_t at = 12;
  for (int i = 0; i < kMostChunks; ++i) {
    const std::size_t n = input.ReadAt(at, head);
    if (n < 8) return std::nullopt;
    const std::uint64_t size = LittleEndian(std::span(head).subspan(4, 4));
    if (Is(head, "ds64") && n == head.size())
      large_size = LittleEndian(std::span(head).subspan(16, 8));
    if (Is(head, "data")) {
      const bool large = size == 0xFFFFFFFF && large_size > 0 && large_size < 1ULL << 60;
      if (!large && (size == 0 || size >= kNotKnown)) return std::nullopt;
      return ByteRange{at + 8, static_cast<std::int64_t>(large ? large_size : size)};
    }
    at += 8 + static_cast<std::int64_t>(size + size % 2);
  }
  return std::nullopt;
}

// ID3v2.4, 3.1: "ID3", two bytes of version, flags (16: a footer follows), a size in 4 times 7
// bits. Then an MPEG audio frame (ISO/IEC 11172-3, 2.4.2.3) whose side information is zero and
// followed by "Xing" or "Info", flags, and where they say so the number of frames (1) and of bytes
// (2).
std::optional<Mp3Extent> FindMp3Extent(DecodeInput& input) {
  std::int64_t start = 0;
  std::array<std::uint8_t, 10> tag{};
  while (input.ReadAt(start, tag) == tag.size() && Is(tag, "ID3")) {
    std::int64_t size = 0;
    for (const std::uint8_t seven : std::span(tag).subspan(6)) size = size << 7 | (seven & 0x7F);
    start += size + ((tag[5] & 16) ? 20 : 10);
  }
  std::array<std::uint8_t, 4096> bytes{};
  const std::size_t n = input.ReadAt(start, bytes);
  constexpr std::size_t kXing = 16;  // "Xing", flags, frames, bytes
  for (std::size_t at = 0; at + 36 + kXing <= n; ++at) {
    // Layer III only: eleven ones, the version, 01.
    if (bytes[at] != 0xFF || (bytes[at + 1] & 0xE6) != 0xE2) continue;
    const bool mpeg1 = (bytes[at + 1] & 0x18) == 0x18, mono = (bytes[at + 3] & 0xC0) == 0xC0;
    const std::size_t side = mpeg1 ? (mono ? 17 : 32) : (mono ? 9 : 17);
    const auto xing = std::span(bytes).subspan(at + 4 + side, kXing);
    if (!Is(xing, "Xing") && !Is(xing, "Info")) continue;
    if ((xing[7] & 1) == 0) return std::nullopt;
    Mp3Extent extent{.frames = static_cast<std::int64_t>(BigEndian(xing.subspan(8, 4))),
                     .frame_samples = mpeg1 ? 1152 : 576};
    if (xing[7] & 2)
      extent.end = start + static_cast<std::int64_t>(at + BigEndian(xing.subspan(12, 4)));
    return extent;
  }
  return std::nullopt;
}

std::optional<std::string> FindCut(std::string_view container, DecodeInput& input) {
  if (container == "ogg") return FindCutInPages(input.Tail());
  if (container == "wav") {
    const auto data = FindWavData(input);
    if (!data) return std::nullopt;
    return Missing(static_cast<std::uint64_t>(data->offset + data->size), input.end());
  }
  if (container == "mp3") {
    const auto extent = FindMp3Extent(input);
    if (!extent || extent->frames == 0) return std::nullopt;
    // Encoders count a few bytes of tags differently; half a frame is no such difference.
    const std::int64_t half_a_frame = extent->end / extent->frames / 2;
    if (extent->end - half_a_frame <= input.end()) return std::nullopt;
    return Missing(static_cast<std::uint64_t>(extent->end), input.end());
  }
  if (container.starts_with("mov,")) return FindCutInBoxes(input);
  if (container.starts_with("matroska")) return FindCutInSegment(input);
  return std::nullopt;
}

}  // namespace headroom::audio
