#include "models/formats/import_numbers.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace headroom::models {
namespace {

template <class T>
T At(std::span<const std::byte> raw, std::size_t index) {
  T value;
  std::memcpy(&value, raw.data() + index * sizeof(T), sizeof(T));
  return value;
}

float BrainToFloat(std::uint16_t brain) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(brain) << 16);
}

std::uint16_t FloatToBrain(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // NaN: rounding would make it a number
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// An exponent of all ones is an infinity or a NaN in all three formats.
template <class T>
bool AllFiniteBits(std::span<const std::byte> raw, T exponent) {
  T bad = 0;
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i)
    bad = static_cast<T>(bad | ((At<T>(raw, i) & exponent) == exponent));
  return bad == 0;
}

template <class T>
void AppendNumber(std::vector<std::byte>& into, T value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  into.insert(into.end(), bytes, bytes + sizeof value);
}

}  // namespace

std::size_t BytesOf(NumberType type) {
  switch (type) {
    case NumberType::kF32:
      return 4;
    case NumberType::kI8:
      return 1;
    case NumberType::kF16:
    case NumberType::kBF16:
    case NumberType::kI16:
      break;
  }
  return 2;
}

GgmlType NearestGgmlType(NumberType type) {
  if (type == NumberType::kF32) return GgmlType::kF32;
  return type == NumberType::kBF16 ? GgmlType::kBF16 : GgmlType::kF16;
}

float HalfToFloat(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {
    const float small = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -small : small;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

std::uint16_t FloatToHalf(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);   // NaN
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and up
  if (magnitude < 0x38800000u) {  // below 2^-14: a multiple of 2^-24, rounded by the FPU
    const float steps = std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(steps));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

void Decode(NumberType type, std::span<const std::byte> raw, std::vector<float>& into) {
  const std::size_t count = raw.size() / BytesOf(type);
  into.reserve(into.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    switch (type) {
      case NumberType::kF32:
        into.push_back(At<float>(raw, i));
        break;
      case NumberType::kF16:
        into.push_back(HalfToFloat(At<std::uint16_t>(raw, i)));
        break;
      case NumberType::kBF16:
        into.push_back(BrainToFloat(At<std::uint16_t>(raw, i)));
        break;
      case NumberType::kI8:
        into.push_back(At<std::int8_t>(raw, i));
        break;
      case NumberType::kI16:
        into.push_back(At<std::int16_t>(raw, i));
        break;
    }
  }
}

Result<> Encode(GgmlType type, std::span<const float> numbers, std::vector<std::byte>& into) {
  const std::size_t begin = into.size();
  for (const float number : numbers) {
    switch (type) {
      case GgmlType::kF32:
        AppendNumber(into, number);
        break;
      case GgmlType::kF16:
        AppendNumber(into, FloatToHalf(number));
        break;
      case GgmlType::kBF16:
        AppendNumber(into, FloatToBrain(number));
        break;
      case GgmlType::kQ8_0:
        CHECK(false);
    }
  }
  if (!AllFinite(type, std::span(into).subspan(begin)))
    return Fail(Errc::kUnsupported, "a weight is too large for {}", Layout(type)->name);
  return {};
}

bool AllFinite(GgmlType type, std::span<const std::byte> raw) {
  switch (type) {
    case GgmlType::kF32:
      return AllFiniteBits<std::uint32_t>(raw, 0x7f800000u);
    case GgmlType::kF16:
      return AllFiniteBits<std::uint16_t>(raw, 0x7c00u);
    case GgmlType::kBF16:
      return AllFiniteBits<std::uint16_t>(raw, 0x7f80u);
    case GgmlType::kQ8_0:
      break;
  }
  return true;
}

}  // namespace headroom::models
