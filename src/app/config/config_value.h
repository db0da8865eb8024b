// One value of a configuration file, independent of its format: reads it as the type that a key
// needs, and writes it as TOML. Errors name the expected type; the caller adds key and line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/config/config.h"

namespace headroom::app {

/// monostate: something that no key takes, such as a date or a list of lists.
using ConfigValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;

Result<bool> ReadFlag(const ConfigValue& value);
Result<double> ReadNumber(const ConfigValue& value, double low, double high);
Result<std::string> ReadText(const ConfigValue& value);
/// One text counts as a list of one.
Result<std::vector<std::string>> ReadTexts(const ConfigValue& value);
Result<Milliseconds> ReadDuration(const ConfigValue& value, Milliseconds low, Milliseconds high);
Result<Bytes> ReadSize(const ConfigValue& value, Bytes low, Bytes high);
/// Absolute, or beginning with ~/; or empty.
Result<std::filesystem::path> ReadPath(const std::string& text);

std::string TomlText(std::string_view text);
std::string TomlNumber(double number);
std::string TomlList(const std::vector<std::string>& texts);
/// A bare key where that is possible.
std::string TomlKey(std::string_view key);
std::string WritePhrases(const Phrases& phrases);
std::string WriteCommands(const Config& config);

}  // namespace headroom::app
