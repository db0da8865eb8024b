// What every reader of a TOML file needs. Errors are kInvalid and begin with "<origin>:<line>: ";
// `origin` is the file as the user knows it.
#pragma once

#include <toml++/toml.h>

#include <set>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headroom {

/// Never throws.
Result<toml::table> ParseToml(std::string_view text, const std::string& origin);

/// Says where what is wrong. A base of what reads the values of one file.
class TomlReader {
 protected:
  /// `origin` must outlive the reader.
  explicit TomlReader(const std::string& origin) : origin_(origin) {}

  std::unexpected<Error> Wrong(const toml::node& at, std::string_view what) const;
  /// A misspelt key is an error rather than a default.
  Result<> OnlyKeys(const toml::table& table, const std::set<std::string_view>& known) const;

 private:
  const std::string& origin_;
};

}  // namespace headroom
