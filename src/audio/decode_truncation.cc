#include "audio/decode_truncation.h"

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

// ISO/IEC 14496-12, 4.2: a box is a 32-bit size, a type, and for size 1 a 64-bit size; size 0 means
// to the end of the file.
std::optional<std::string> FindCutInBoxes(DecodeInput& input) {
  constexpr int kMostBoxes = 100000;
  std::uint64_t at = 0;
  for (int i = 0; i < kMostBoxes; ++i) {
    std::array<std::uint8_t, 16> head;
    const std::size_t n = input.ReadAt(static_cast<std::int64_t>(at), head);
    if (n < 8) return n == 0 ? std::nullopt : Missing(at + 8, *input.size());
    std::uint64_t size = BigEndian(std::span(head).first(4));
    if (size == 0) return std::nullopt;
    if (size == 1 && n == 16) size = BigEndian(std::span(head).subspan(8, 8));
    if (size < 8 || size > std::uint64_t{1} << 61) return std::nullopt;
    at += size;
    if (at > static_cast<std::uint64_t>(*input.size())) return Missing(at, *input.size());
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
  return Missing(segment->payload + segment->size, *input.size());
}

// RFC 3533, 6: "OggS", version 0, flags (4: last page of its stream), ..., at 26 the number of
// segments and their lengths. Only a page that reaches the end of the bytes is taken for the last,
// so the same letters inside of sound mean nothing.
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

std::optional<std::string> FindCut(std::string_view container, DecodeInput& input) {
  if (container == "ogg") return FindCutInPages(input.Tail());
  if (!input.seekable()) return std::nullopt;
  if (container.starts_with("mov,")) return FindCutInBoxes(input);
  if (container.starts_with("matroska")) return FindCutInSegment(input);
  return std::nullopt;
}

}  // namespace headroom::audio
