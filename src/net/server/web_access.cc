#include "net/server/web_access.h"

#include <algorithm>

#include "base/text.h"

namespace headroom::net {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool SameWord(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

// "name:port", "[::1]:port", "name" to the name without brackets; nullopt: malformed.
struct HostPort {
  std::string_view host, port;
};
std::optional<HostPort> SplitHost(std::string_view text) {
  HostPort split;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    split = {text.substr(1, end - 1), text.substr(end + 1)};
    if (split.port.empty()) return split;
    if (split.port.front() != ':') return std::nullopt;
    split.port.remove_prefix(1);
  } else {
    const std::size_t colon = text.find(':');
    split.host = text.substr(0, colon);
    if (colon == std::string_view::npos) return split;
    split.port = text.substr(colon + 1);
  }
  if (split.port.empty() || split.port.size() > 5 ||
      split.port.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  return split;
}

// Of 0.0.0.0 and ::, which are every address that this machine has.
bool IsAny(const IpAddress& address) {
  constexpr std::size_t kV4 = 12;  // where the bytes of an IPv4 address begin
  const auto zero = [](std::uint8_t byte) { return byte == 0; };
  return std::all_of(address.bytes.begin() + (address.is_v4() ? kV4 : 0), address.bytes.end(),
                     zero);
}

}  // namespace

SiteRules::SiteRules(ListenAddress listen, std::vector<std::string> hosts,
                     std::vector<std::string> origins, bool tls)
    : listen_(listen),
      hosts_(std::move(hosts)),
      origins_(std::move(origins)),
      scheme_(tls ? "https://" : "http://") {}

bool SiteRules::KnowsHost(std::string_view host) const {
  const auto split = SplitHost(host);
  if (!split || split->host.empty()) return false;
  const std::string_view name = split->host;
  if (SameWord(name, "localhost")) return true;
  if (const auto address = ParseIpAddress(name)) {
    const std::string text = ToText(*address);
    // A rebound name is a name: a client that uses an address meant it.
    return text == "127.0.0.1" || text == "::1" || *address == listen_.address ||
           IsAny(listen_.address);
  }
  return std::ranges::any_of(hosts_, [&](const auto& own) { return SameWord(own, name); });
}

bool SiteRules::AllowsOrigin(std::string_view origin) const {
  return std::ranges::any_of(origins_, [&](const auto& one) { return SameWord(one, origin); });
}

std::optional<std::string> SiteRules::Refuses(const RequestSite& site) const {
  if (!KnowsHost(site.host))
    return fmt::format("this is not the server \"{}\" that Host names", Printable(site.host));
  if (!site.origin.empty()) {
    if (SameWord(site.origin, scheme_ + std::string(site.host)) || AllowsOrigin(site.origin))
      return std::nullopt;
    return fmt::format("pages of \"{}\" may not ask; it would have to be in the configured origins",
                       Printable(site.origin));
  }
  // Images, scripts and forms of other sites come without Origin, but browsers say where from.
  if (site.fetch_site.empty() || site.fetch_site == "same-origin" || site.fetch_site == "none" ||
      site.page)
    return std::nullopt;
  return "another site's page may not ask";
}

bool RateLimit::Admit(MonoTime now) {
  if (last_)
    left_ = std::min(per_second_,
                     left_ + std::chrono::duration<double>(now - *last_).count() * per_second_);
  last_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

std::string_view TokenOf(std::string_view authorization, std::string_view subprotocols) {
  constexpr std::string_view kBearer = "bearer ", kSubprotocol = "openai-insecure-api-key.";
  if (SameWord(authorization.substr(0, kBearer.size()), kBearer))
    return Trim(authorization.substr(kBearer.size()));
  while (!subprotocols.empty()) {
    const std::size_t comma = std::min(subprotocols.find(','), subprotocols.size());
    const std::string_view one = Trim(subprotocols.substr(0, comma));
    if (one.starts_with(kSubprotocol)) return one.substr(kSubprotocol.size());
    subprotocols.remove_prefix(std::min(subprotocols.size(), comma + 1));
  }
  return {};
}

bool ListHas(std::string_view list, std::string_view word) {
  return std::ranges::any_of(Split(list, ','),
                             [&](const auto& one) { return SameWord(Trim(one), word); });
}

}  // namespace headroom::net
