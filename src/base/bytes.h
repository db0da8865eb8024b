// A number of bytes, as a type, so that MiB and bytes cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headroom {

struct Bytes {
  std::int64_t n = 0;

  constexpr Bytes() = default;
  constexpr explicit Bytes(std::int64_t count) : n(count) {}

  friend constexpr auto operator<=>(Bytes, Bytes) = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return Bytes(a.n + b.n); }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return Bytes(a.n - b.n); }
  constexpr Bytes& operator+=(Bytes b) { return n += b.n, *this; }
  constexpr Bytes& operator-=(Bytes b) { return n -= b.n, *this; }
};

constexpr Bytes KiB(std::int64_t n) {
  return Bytes(n << 10);
}
constexpr Bytes MiB(std::int64_t n) {
  return Bytes(n << 20);
}
constexpr Bytes GiB(std::int64_t n) {
  return Bytes(n << 30);
}

/// "998.6 MiB": binary units, one decimal from KiB up; memory is always said this way.
std::string FormatBinary(Bytes bytes);
/// "1.05 GB": decimal units, three significant digits; files and downloads are said this way.
std::string FormatDecimal(Bytes bytes);
/// "64MiB", "2GB", "1234567": whole, so that ParseBytes gives exactly the same back.
std::string FormatExact(Bytes bytes);
/// "4096MiB", "4 GiB", "1.5G" (decimal), "300" (bytes). Not negative, not beyond 2^62.
Result<Bytes> ParseBytes(std::string_view text);

}  // namespace headroom
