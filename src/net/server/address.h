// Where to listen and who may connect, as a person writes it. Pure.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headroom::net {

/// IPv6; an IPv4 address as ::ffff:a.b.c.d, so that both are compared alike.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
  bool is_v4() const;
  bool is_loopback() const;  // 127.0.0.0/8 or ::1
};
/// "192.168.1.7", "fe80::1"; no names, since those may mean something else tomorrow.
Result<IpAddress> ParseIpAddress(std::string_view text);
std::string ToText(const IpAddress& address);

/// "192.168.1.0/24", "fd00::/8", "192.168.1.7".
struct IpRange {
  IpAddress first;
  int prefix = 128;  // bits of the 128 that are fixed
  bool Contains(const IpAddress& address) const;
};
Result<IpRange> ParseIpRange(std::string_view text);

struct ListenAddress {
  IpAddress address;
  std::uint16_t port = 0;
};
/// "127.0.0.1:10300", "[::1]:10300", "localhost:10300"
Result<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace headroom::net
