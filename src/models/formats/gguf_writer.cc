#include "models/formats/gguf_writer.h"

#include "base/check.h"

namespace headroom::models {
namespace {

constexpr std::uint32_t kVersion = 3;
enum : std::uint32_t { kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kText = 8, kArray = 9 };

template <class T>
void Append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendText(std::string& to, std::string_view text) {
  Append(to, static_cast<std::uint64_t>(text.size()));
  to.append(text);
}

}  // namespace

void GgufKeys::Key(std::string_view key, std::uint32_t type) {
  AppendText(encoded_, key);
  Append(encoded_, type);
  ++count_;
}

void GgufKeys::SetText(std::string_view key, std::string_view value) {
  Key(key, kText);
  AppendText(encoded_, value);
}

void GgufKeys::SetUnsigned(std::string_view key, std::uint32_t value) {
  Key(key, kU32);
  Append(encoded_, value);
}

void GgufKeys::SetFloat(std::string_view key, float value) {
  Key(key, kF32);
  Append(encoded_, value);
}

void GgufKeys::SetBool(std::string_view key, bool value) {
  Key(key, kBool);
  Append(encoded_, static_cast<std::uint8_t>(value));
}

void GgufKeys::SetTexts(std::string_view key, const std::vector<std::string>& values) {
  Key(key, kArray);
  Append(encoded_, std::uint32_t{kText});
  Append(encoded_, static_cast<std::uint64_t>(values.size()));
  for (const std::string& value : values) AppendText(encoded_, value);
}

void GgufKeys::SetIntegers(std::string_view key, const std::vector<std::int32_t>& values) {
  Key(key, kArray);
  Append(encoded_, std::uint32_t{kI32});
  Append(encoded_, static_cast<std::uint64_t>(values.size()));
  for (const std::int32_t value : values) Append(encoded_, value);
}

std::int64_t GgufPadding(std::int64_t bytes) {
  return (kGgufAlignment - bytes % kGgufAlignment) % kGgufAlignment;
}

std::string EncodeGgufHeader(const GgufKeys& keys, std::span<GgufTensor> tensors) {
  std::string header(kGgufMagic);
  Append(header, kVersion);
  Append(header, static_cast<std::uint64_t>(tensors.size()));
  Append(header, keys.count());
  header += keys.encoded();
  std::int64_t next = 0;
  for (GgufTensor& tensor : tensors) {
    const auto bytes = TensorBytes(tensor.type, tensor.ne);
    CHECK(bytes && tensor.name.size() < 64);
    tensor.bytes = *bytes;
    tensor.offset = next;
    AppendText(header, tensor.name);
    Append(header, static_cast<std::uint32_t>(tensor.rank));
    for (int i = 0; i < tensor.rank; ++i) Append(header, tensor.ne[static_cast<std::size_t>(i)]);
    Append(header, static_cast<std::uint32_t>(tensor.type));
    Append(header, static_cast<std::uint64_t>(next));
    next += tensor.bytes + GgufPadding(tensor.bytes);
  }
  header.append(static_cast<std::size_t>(GgufPadding(static_cast<std::int64_t>(header.size()))),
                '\0');
  for (GgufTensor& tensor : tensors) tensor.offset += static_cast<std::int64_t>(header.size());
  return header;
}

}  // namespace headroom::models
