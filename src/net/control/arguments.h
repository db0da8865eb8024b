// The fields of a command, from the query and the JSON body of its request. Each is taken once, and
// what is left over was not understood. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headroom::net {

class Arguments {
 public:
  /// kInvalid: the query is malformed, or the body is not a JSON object.
  static Result<Arguments> Parse(std::string_view target, std::string_view body);

  bool Has(const char* name) const { return fields_.contains(name); }
  std::string Text(const char* name);
  /// Also from a text of digits, since a query holds nothing else.
  std::optional<std::int64_t> Whole(const char* name, std::int64_t low, std::int64_t high);
  std::vector<std::string> Texts(const char* name);
  bool Flag(const char* name, bool otherwise = false);
  // The one that the type of `value` asks for.
  void Get(const char* name, std::string& value) { value = Text(name); }
  void Get(const char* name, bool& value) { value = Flag(name); }
  void Get(const char* name, std::vector<std::string>& value) { value = Texts(name); }

  void SetWrong(std::string what);
  /// After all fields were asked for: what was wrong, or was not asked for.
  std::optional<Error> Left() const;

 private:
  std::optional<nlohmann::json> Take(const char* name);
  void Wrong(const char* name, std::string_view what);

  nlohmann::json fields_ = nlohmann::json::object();
  std::vector<std::string> known_;
  std::optional<Error> wrong_;
};

}  // namespace headroom::net
