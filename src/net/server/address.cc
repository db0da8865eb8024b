#include "net/server/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>

#include "base/text.h"

namespace headroom::net {
namespace {

constexpr std::array<std::uint8_t, 12> kV4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <class Number>
std::optional<Number> Parse(std::string_view digits) {
  Number number{};
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failed != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

bool IpAddress::is_v4() const {
  return std::ranges::equal(std::span(bytes).first<12>(), kV4);
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  IpAddress one;
  one.bytes[15] = 1;
  return *this == one;
}

Result<IpAddress> ParseIpAddress(std::string_view text) {
  const std::string copy(text);  // ends with a zero
  IpAddress address;
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  std::ranges::copy(kV4, address.bytes.begin());
  if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
  return Fail(Errc::kInvalid, "{}: not an IP address", Printable(text));
}

std::string ToText(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.is_v4())
    ::inet_ntop(AF_INET, address.bytes.data() + 12, text, sizeof(text));
  else
    ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof(text));
  return text;
}

bool IpRange::Contains(const IpAddress& address) const {
  for (int bit = 0; bit < prefix; ++bit) {
    const auto at = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    if ((first.bytes[at] & mask) != (address.bytes[at] & mask)) return false;
  }
  return true;
}

Result<IpRange> ParseIpRange(std::string_view text) {
  const std::size_t slash = text.find('/');
  TRY_ASSIGN(const IpAddress first, ParseIpAddress(text.substr(0, slash)));
  IpRange range{first, 128};
  if (slash == std::string_view::npos) return range;
  const int most = first.is_v4() ? 32 : 128;
  const auto bits = Parse<int>(text.substr(slash + 1));
  if (!bits || *bits < 0 || *bits > most)
    return Fail(Errc::kInvalid, "{}: the number after / is 0 to {}", Printable(text), most);
  range.prefix = *bits + 128 - most;
  return range;
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto wrong = [&] {
    return Fail(Errc::kInvalid,
                "{}: not an address and a port, such as 127.0.0.1:10300 or [::1]:10300",
                Printable(text));
  };
  if (colon == std::string_view::npos) return wrong();
  std::string_view host = text.substr(0, colon);
  const auto port = Parse<std::uint16_t>(text.substr(colon + 1));
  if (!port) return wrong();
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.contains(':'))
    return wrong();  // where the address ends would be a guess
  auto address = ParseIpAddress(host);
  if (!address) return wrong();
  return ListenAddress{*address, *port};
}

}  // namespace headroom::net
