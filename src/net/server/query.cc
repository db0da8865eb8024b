#include "net/server/query.h"

#include <algorithm>
// Boost.URL without its library: compiled here and nowhere else.
#include <boost/url/src.hpp>

namespace headroom::net {
namespace {

namespace urls = boost::urls;

bool HasControl(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
}

}  // namespace

std::string_view PathOf(std::string_view target) {
  return target.substr(0, target.find('?'));
}

Result<std::vector<std::pair<std::string, std::string>>> ParseQuery(std::string_view target) {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos || mark + 1 == target.size()) return fields;
  target.remove_prefix(mark + 1);
  const auto query = urls::parse_query(urls::string_view(target.data(), target.size()));
  if (!query)
    return Fail(Errc::kInvalid,
                "the query is malformed: a % needs two hexadecimal digits, and other characters "
                "than letters, digits and -._~!$'()*,;:@/? are written as one");
  urls::encoding_opts options;
  options.space_as_plus = true;
  for (const auto field : *query) {
    std::string name = field.key.decode(options);
    std::string value = field.value.decode(options);
    if (HasControl(name) || HasControl(value))
      return Fail(Errc::kInvalid, "the query has control characters");
    if (!name.empty() || !value.empty()) fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

}  // namespace headroom::net
