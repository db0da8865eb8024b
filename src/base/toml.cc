#include "base/toml.h"

#include "base/text.h"

namespace headroom {

Result<toml::table> ParseToml(std::string_view text, const std::string& origin) {
  try {
    return toml::parse(text, origin);
  } catch (const toml::parse_error& error) {
    return Fail(Errc::kInvalid, "{}:{}: {}", origin, error.source().begin.line,
                Printable(error.description()));
  }
}

std::unexpected<Error> TomlReader::Wrong(const toml::node& at, std::string_view what) const {
  return Fail(Errc::kInvalid, "{}:{}: {}", origin_, at.source().begin.line, what);
}

Result<> TomlReader::OnlyKeys(const toml::table& table,
                              const std::set<std::string_view>& known) const {
  for (const auto& [key, node] : table) {
    if (!known.contains(key.str()))
      return Wrong(node, fmt::format("unknown key \"{}\"; known here: {}", Printable(key.str()),
                                     fmt::join(known, ", ")));
  }
  return {};
}

}  // namespace headroom
