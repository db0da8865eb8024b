#include "net/server/routes.h"

#include "base/text.h"
#include "net/server/query.h"

namespace headroom::net {
namespace {

constexpr std::size_t kShown = 100;  // characters of a path in a message

bool TakesName(std::string_view path) {
  return path.size() > 1 && path.ends_with('/');
}

HttpRefusal NoSuchRoute(std::string_view path, const std::vector<Route>& routes) {
  std::vector<std::string> paths;
  for (const Route& route : routes) paths.emplace_back(route.path);
  const auto near = NearestNames(path, paths, 1);
  return {HttpRefusal::Kind::kNoSuchRoute,
          fmt::format("there is no {}{}", Printable(path),
                      near.empty() ? "" : fmt::format("; did you mean {}?", near.front()))};
}

}  // namespace

std::variant<RouteTable::Match, HttpRefusal> RouteTable::Find(std::string_view method,
                                                              std::string_view target) const {
  const std::string_view path = PathOf(target);
  if (method == "HEAD") method = "GET";
  if (path.empty() || path.front() != '/')
    return HttpRefusal{HttpRefusal::Kind::kMalformed, "a request's target has to begin with /"};
  std::string allow;
  for (const bool named : {false, true}) {
    for (const Route& route : routes_) {
      if (TakesName(route.path) != named) continue;
      const bool here = named ? path.size() > route.path.size() && path.starts_with(route.path)
                              : path == route.path;
      if (!here) continue;
      if (route.method == method)
        return Match{&route, named ? path.substr(route.path.size()) : std::string_view()};
      allow += (allow.empty() ? "" : ", ") + std::string(route.method);
    }
    if (!allow.empty()) break;  // a path with a row of its own is not a name
  }
  const std::string_view shown = path.substr(0, kShown);
  if (allow.empty()) return NoSuchRoute(shown, routes_);
  return HttpRefusal{HttpRefusal::Kind::kWrongMethod,
                     fmt::format("{} wants {}", Printable(shown), allow),
                     allow == "GET" ? "GET, HEAD" : allow};
}

unsigned StatusOf(HttpRefusal::Kind kind) {
  switch (kind) {
    case HttpRefusal::Kind::kMalformed:
      return 400;
    case HttpRefusal::Kind::kHeaderTooLong:
      return 431;
    case HttpRefusal::Kind::kBodyTooLong:
      return 413;
    case HttpRefusal::Kind::kTooManyRequests:
      return 429;
    case HttpRefusal::Kind::kNoSuchRoute:
      return 404;
    case HttpRefusal::Kind::kWrongMethod:
      return 405;
  }
  return 400;
}

}  // namespace headroom::net
