#include "net/control/arguments.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "net/server/query.h"

namespace headroom::net {

using nlohmann::json;

Result<Arguments> Arguments::Parse(std::string_view target, std::string_view body) {
  Arguments arguments;
  if (!Trim(body).empty()) {
    arguments.fields_ = json::parse(body, nullptr, false);
    if (arguments.fields_.is_discarded()) return Fail(Errc::kInvalid, "the body is not JSON");
    if (!arguments.fields_.is_object())
      return Fail(Errc::kInvalid, "the body is not a JSON object");
  }
  TRY_ASSIGN(const auto query, ParseQuery(target));
  for (const auto& [name, value] : query) arguments.fields_[name] = value;
  return arguments;
}

std::string Arguments::Text(const char* name) {
  const auto value = Take(name);
  if (!value) return "";
  if (value->is_string()) return value->get<std::string>();
  Wrong(name, "has to be text");
  return "";
}

std::optional<std::int64_t> Arguments::Whole(const char* name, std::int64_t low,
                                             std::int64_t high) {
  const auto value = Take(name);
  if (!value) return std::nullopt;
  std::optional<std::int64_t> number;
  if (value->is_number_integer() && !(value->is_number_unsigned() && *value > INT64_MAX))
    number = value->get<std::int64_t>();
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    std::int64_t parsed = 0;
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (err == std::errc() && end == text.data() + text.size()) number = parsed;
  }
  if (number && *number >= low && *number <= high) return number;
  Wrong(name, fmt::format("has to be a whole number from {} to {}", low, high));
  return std::nullopt;
}

std::vector<std::string> Arguments::Texts(const char* name) {
  std::vector<std::string> texts;
  const auto value = Take(name);
  if (!value) return texts;
  const bool all = value->is_array() &&
                   std::ranges::all_of(*value, [](const json& one) { return one.is_string(); });
  if (all) return value->get<std::vector<std::string>>();
  Wrong(name, "has to be a list of texts");
  return texts;
}

bool Arguments::Flag(const char* name, bool otherwise) {
  const auto value = Take(name);
  if (!value) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_string() && (*value == "true" || *value == "false")) return *value == "true";
  Wrong(name, "has to be true or false");
  return false;
}

std::optional<Error> Arguments::Left() const {
  if (wrong_) return wrong_;
  if (fields_.empty()) return std::nullopt;
  const std::string name = fields_.begin().key();
  const auto near = NearestNames(name, known_, 1);
  const std::string what = !near.empty()    ? fmt::format("; did you mean \"{}\"?", near.front())
                           : known_.empty() ? std::string("; this route has none")
                                            : fmt::format("; known: {}", fmt::join(known_, ", "));
  return Error{Errc::kInvalid, fmt::format("there is no field \"{}\"{}", Printable(name), what)};
}

std::optional<json> Arguments::Take(const char* name) {
  known_.emplace_back(name);
  const auto found = fields_.find(name);
  if (found == fields_.end() || found->is_null()) return std::nullopt;
  json value = std::move(*found);
  fields_.erase(found);
  return value;
}

void Arguments::SetWrong(std::string what) {
  if (!wrong_) wrong_ = Error{Errc::kInvalid, std::move(what)};
}

void Arguments::Wrong(const char* name, std::string_view what) {
  SetWrong(fmt::format("{} {}", name, what));
}

}  // namespace headroom::net
