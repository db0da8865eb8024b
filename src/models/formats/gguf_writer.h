// Writing GGUF version 3: keys, then tensor infos, then tensor data in the same order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/gguf.h"

namespace headroom::models {

/// The keys of a file, in the order they were set. Setting a key twice is a bug.
class GgufKeys {
 public:
  void SetText(std::string_view key, std::string_view value);
  void SetUnsigned(std::string_view key, std::uint32_t value);
  void SetFloat(std::string_view key, float value);
  void SetBool(std::string_view key, bool value);
  void SetTexts(std::string_view key, const std::vector<std::string>& values);
  void SetIntegers(std::string_view key, const std::vector<std::int32_t>& values);

  std::uint64_t count() const { return count_; }
  const std::string& encoded() const { return encoded_; }

 private:
  void Key(std::string_view key, std::uint32_t type);
  std::string encoded_;
  std::uint64_t count_ = 0;
};

/// Magic to the last byte of padding before the data; offsets and sizes in `tensors` are filled in.
/// Names, types and shapes must be valid (CHECK).
std::string EncodeGgufHeader(const GgufKeys& keys, std::span<GgufTensor> tensors);

/// How many zero bytes follow a tensor of `bytes` bytes.
std::int64_t GgufPadding(std::int64_t bytes);

}  // namespace headroom::models
