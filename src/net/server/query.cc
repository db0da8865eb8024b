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
  const std::size_t path = PathOf(target).size();
  if (path == target.size()) return fields;
  // A copy, since parse_query of Boost 1.81 reads up to a NUL whatever the length is.
  const std::string text(target.substr(path + 1));
  const auto query = urls::parse_query(text);
  if (!query || text.contains('\0'))
    return Fail(Errc::kInvalid,
                "the query is malformed: a % needs two hexadecimal digits, and other characters "
                "than letters, digits and -._~!$'()*,;:@/? are written as one");
  urls::encoding_opts options;
  options.space_as_plus = true;
  for (const auto field : *query) {
    if (field.key.empty() && !field.has_value) continue;
    std::string name = field.key.decode(options);
    std::string value = field.value.decode(options);
    if (HasControl(name) || HasControl(value))
      return Fail(Errc::kInvalid, "the query has control characters");
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

}  // namespace headroom::net
