// CTranslate2's model.bin (version 6, and 5 which is laid out alike): the list of its variables.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "models/formats/import_source.h"

namespace headroom::models {

enum class Ct2Type : std::uint8_t { kF32 = 0, kI8 = 1, kI16 = 2, kI32 = 3, kF16 = 4, kBF16 = 5 };

struct Ct2Variable {
  std::vector<std::int64_t> dims;  // slowest first; empty for a single number
  Ct2Type type = Ct2Type::kF32;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

struct Ct2Model {
  std::string spec;  // "WhisperSpec"
  std::uint32_t revision = 0;
  std::map<std::string, Ct2Variable, std::less<>> variables;
  std::vector<std::pair<std::string, std::string>> aliases;  // (name, name of a variable)
};

/// True when the bytes begin as a model.bin does; `head` is the first 64 bytes or fewer.
bool LooksLikeCt2(std::string_view head);

/// Checks that everything lies in the file and that sizes match shapes.
Result<Ct2Model> ReadCt2Model(const ByteSource& source);

}  // namespace headroom::models
