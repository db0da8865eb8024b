// Typed members of a JSON object, read leniently. Only for files that read JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace headroom::net {

/// A member that is absent or of another type leaves the value as it is, and Get returns false.
class JsonFields {
 public:
  /// `object` outlives this; what is no object has no members.
  explicit JsonFields(const nlohmann::json& object) : object_(object) {}

  bool Get(const char* key, std::string& into) const {
    const nlohmann::json* value = Find(key);
    if (value && value->is_string()) into = *value;
    return value && value->is_string();
  }
  bool Get(const char* key, bool& into) const {
    const nlohmann::json* value = Find(key);
    if (value && value->is_boolean()) into = value->get<bool>();
    return value && value->is_boolean();
  }
  template <class N>
    requires std::is_integral_v<N>
  bool Get(const char* key, N& into) const {
    const nlohmann::json* value = Find(key);
    if (!value || !value->is_number_integer()) return false;
    into = static_cast<N>(value->get<std::int64_t>());
    return true;
  }
  bool Get(const char* key, Milliseconds& into) const {
    std::int64_t number = into.count();
    const bool read = Get(key, number);
    into = Milliseconds(number);
    return read;
  }
  bool Get(const char* key, Bytes& into) const { return Get(key, into.n); }
  bool Get(const char* key, std::vector<std::string>& into) const {
    const nlohmann::json* list = Find(key);
    if (!list || !list->is_array()) return false;
    for (const nlohmann::json& element : *list) {
      if (element.is_string()) into.push_back(element);
    }
    return true;
  }
  template <class T>
  bool Get(const char* key, std::optional<T>& into) const {
    T value{};
    const bool read = Get(key, value);
    if (read) into = std::move(value);
    return read;
  }
  /// As Get, over T's default.
  template <class T>
  T Value(const char* key) const {
    T value{};
    Get(key, value);
    return value;
  }

  const nlohmann::json& object() const { return object_; }
  const nlohmann::json* Find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

 private:
  const nlohmann::json& object_;
};

}  // namespace headroom::net
