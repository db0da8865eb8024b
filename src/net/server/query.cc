#include "net/server/query.h"

#include <charconv>

#include "base/text.h"

namespace headroom::net {
namespace {

// RFC 3986 section 3.4, without the characters that have a meaning here: % & + =
constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$'()*,;:@/?=";

std::unexpected<Error> Malformed() {
  return Fail(Errc::kInvalid,
              "the query is malformed: a % needs two hexadecimal digits, and other characters than "
              "letters, digits and -._~!$'()*,;:@/? are written as one");
}

Result<std::string> Decode(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    char next = text.front();
    std::size_t used = 1;
    if (next == '+') {
      next = ' ';
    } else if (next == '%') {
      unsigned char byte = 0;
      const std::string_view digits = text.substr(1, 2);
      const auto [end, err] =
          std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (digits.size() < 2 || err != std::errc() || end != digits.data() + 2) return Malformed();
      if (byte < 0x20 || byte == 0x7f)
        return Fail(Errc::kInvalid, "the query has control characters");
      next = static_cast<char>(byte);
      used = 3;
    } else if (!kPlain.contains(next)) {
      return Malformed();
    }
    plain += next;
    text.remove_prefix(used);
  }
  return plain;
}

}  // namespace

std::string_view PathOf(std::string_view target) {
  return target.substr(0, target.find('?'));
}

Result<std::vector<std::pair<std::string, std::string>>> ParseQuery(std::string_view target) {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::size_t path = PathOf(target).size();
  if (path == target.size()) return fields;
  for (const std::string& field : Split(target.substr(path + 1), '&')) {
    if (field.empty()) continue;
    const std::size_t equals = std::min(field.find('='), field.size());
    TRY_ASSIGN(std::string name, Decode(std::string_view(field).substr(0, equals)));
    TRY_ASSIGN(std::string value,
               Decode(std::string_view(field).substr(std::min(equals + 1, field.size()))));
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

}  // namespace headroom::net
