// The table of what can be asked for over HTTP: which handler answers a method and a path, and who
// may ask. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "net/server/http_exchange.h"

namespace headroom::net {

enum class Access {
  kSocket,   // on the control socket, which only this user reaches; all others: on the network
  kOpen,     // everyone who reaches the server
  kToken,    // clients with a token, where there are tokens
  kOwnSite,  // kToken, and no page of another site
  kHistory,  // kOwnSite, where the configuration shows texts to the network
};

struct Route {
  std::string_view method, path;  // a path that ends with / is followed by a name
  Access access = Access::kSocket;
  std::function<void(Exchange&)> handler;
};

class RouteTable {
 public:
  explicit RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {}

  struct Match {
    const Route* route = nullptr;
    std::string_view name;  // of a path that takes one; part of `target`
  };
  /// HEAD counts as GET.
  std::variant<Match, HttpRefusal> Find(std::string_view method, std::string_view target) const;

 private:
  const std::vector<Route> routes_;
};

}  // namespace headroom::net
