// Who may ask over the network: Host against DNS rebinding, Origin against pages of
// other sites, and how often. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/server/address.h"

namespace headroom::net {

/// What a request says about where it goes and who caused it; "" : the header is not there.
struct RequestSite {
  std::string_view host, origin, fetch_site;
  bool page = false;  // asks for the page itself, which links may lead to
};

class SiteRules {
 public:
  /// `hosts`: further names of this machine. `origins`: "https://notes.example".
  SiteRules(ListenAddress listen, std::vector<std::string> hosts, std::vector<std::string> origins,
            bool tls);
  /// Why the request is refused, for a person; nullopt: it may pass.
  std::optional<std::string> Refuses(const RequestSite& site) const;
  /// That page may read the answers although it is of another site.
  bool AllowsOrigin(std::string_view origin) const;

 private:
  bool KnowsHost(std::string_view host) const;

  const ListenAddress listen_;
  const std::vector<std::string> hosts_, origins_;
  const std::string scheme_;
};

/// So many a second, and as many at once.
class RateLimit {
 public:
  explicit RateLimit(double per_second) : per_second_(per_second), left_(per_second) {}
  bool Admit(MonoTime now);

 private:
  const double per_second_;
  double left_;
  std::optional<MonoTime> last_;
};

/// The token of "Authorization: Bearer TOKEN", or of the WebSocket subprotocol
/// "openai-insecure-api-key.TOKEN", which is all a browser can send; "" : none.
std::string_view TokenOf(std::string_view authorization, std::string_view subprotocols);

/// Whether a list of words with commas between has this word, whatever the case.
bool ListHas(std::string_view list, std::string_view word);

}  // namespace headroom::net
