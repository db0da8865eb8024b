#include "models/formats/gguf.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace headroom::models {
namespace {

// Far above what any model has, far below what hurts.
constexpr std::uint64_t kMostKeys = 65536;
constexpr std::uint64_t kMostTensors = 65536;
constexpr std::uint64_t kMostValues = std::uint64_t{1} << 40;
constexpr std::uint64_t kLongestKey = 1024;
constexpr std::uint64_t kLongestTensorName = 63;  // ggml keeps 64 bytes with the NUL
constexpr std::uint64_t kLongestKeptText = 4096;
constexpr std::uint64_t kLongestKeptArray = 512;
constexpr std::uint64_t kMostKeptBytes = 4 << 20;

enum : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kText,
  kArray,
  kU64,
  kI64,
  kF64
};

std::uint64_t ScalarBytes(std::uint32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
      return 2;
    case kU32:
    case kI32:
    case kF32:
      return 4;
    case kU64:
    case kI64:
    case kF64:
      return 8;
    default:
      return 0;
  }
}

template <class To, class From>
Result<GgufValue> Widened(Reader& reader) {
  TRY_ASSIGN(const From value, reader.Number<From>());
  return GgufValue(static_cast<To>(value));
}

class HeaderReader {
 public:
  explicit HeaderReader(const ByteSource& source) : source_(source), reader_(source) {}

  Result<GgufHeader> Read() {
    TRY(Counts());
    for (std::uint64_t i = 0; i < keys_; ++i) TRY(Pair());
    TRY(Alignment());
    std::set<std::string, std::less<>> names;
    for (std::uint64_t i = 0; i < tensors_; ++i) {
      TRY(Tensor());
      const std::string& name = header_.tensors.back().name;
      if (!names.insert(name).second)
        return Fail(Errc::kCorrupt, "two tensors are called \"{}\"", Printable(name));
    }
    TRY(Place());
    return std::move(header_);
  }

 private:
  Result<> Counts() {
    TRY_ASSIGN(const std::string magic, reader_.Text(4, 4, "magic"));
    if (magic != kGgufMagic) return Fail(Errc::kInvalid, "not a GGUF file");
    TRY_ASSIGN(header_.version, reader_.Number<std::uint32_t>());
    if ((header_.version & 0xffff) == 0 && header_.version != 0)
      return Fail(Errc::kUnsupported, "a GGUF file for big-endian machines");
    if (header_.version != 2 && header_.version != 3)
      return Fail(Errc::kUnsupported, "GGUF version {}; 2 and 3 are known", header_.version);
    TRY_ASSIGN(tensors_, reader_.Number<std::uint64_t>());
    TRY_ASSIGN(keys_, reader_.Number<std::uint64_t>());
    if (tensors_ > kMostTensors) return Fail(Errc::kCorrupt, "it claims {} tensors", tensors_);
    if (keys_ > kMostKeys) return Fail(Errc::kCorrupt, "it claims {} keys", keys_);
    return {};
  }

  Result<std::string> Text(std::uint64_t limit, const char* what) {
    TRY_ASSIGN(const std::uint64_t length, reader_.Number<std::uint64_t>());
    return reader_.Text(length, limit, what);
  }

  Result<> Pair() {
    TRY_ASSIGN(std::string key, Text(kLongestKey, "a key"));
    if (key.empty()) return Fail(Errc::kCorrupt, "a key without a name");
    if (!keys_seen_.insert(key).second)
      return Fail(Errc::kCorrupt, "the key {} is there twice", Printable(key));
    TRY_ASSIGN(const std::uint32_t type, reader_.Number<std::uint32_t>());
    auto value = type == kArray ? Array(key) : Scalar(key, type);
    if (!value) return Fail(std::move(value.error()));
    if (*value) header_.values.emplace(std::move(key), std::move(**value));
    return {};
  }

  // The value, or nullopt when it is not worth keeping.
  Result<std::optional<GgufValue>> Scalar(const std::string& key, std::uint32_t type) {
    if (type == kText) return LongText();
    auto value = Number(key, type);
    if (!value) return Fail(std::move(value.error()));
    return std::optional<GgufValue>(std::move(*value));
  }

  Result<GgufValue> Number(const std::string& key, std::uint32_t type) {
    switch (type) {
      case kU8:
        return Widened<std::uint64_t, std::uint8_t>(reader_);
      case kI8:
        return Widened<std::int64_t, std::int8_t>(reader_);
      case kU16:
        return Widened<std::uint64_t, std::uint16_t>(reader_);
      case kI16:
        return Widened<std::int64_t, std::int16_t>(reader_);
      case kU32:
        return Widened<std::uint64_t, std::uint32_t>(reader_);
      case kI32:
        return Widened<std::int64_t, std::int32_t>(reader_);
      case kU64:
        return Widened<std::uint64_t, std::uint64_t>(reader_);
      case kI64:
        return Widened<std::int64_t, std::int64_t>(reader_);
      case kF32:
        return Widened<double, float>(reader_);
      case kF64:
        return Widened<double, double>(reader_);
      case kBool: {
        TRY_ASSIGN(const std::uint8_t raw, reader_.Number<std::uint8_t>());
        if (raw > 1) return Fail(Errc::kCorrupt, "{} is neither true nor false", Printable(key));
        return GgufValue(raw == 1);
      }
      default:
        return Fail(Errc::kCorrupt, "{} has the unknown type {}", Printable(key), type);
    }
  }

  Result<std::optional<GgufValue>> LongText() {
    TRY_ASSIGN(const std::uint64_t length, reader_.Number<std::uint64_t>());
    if (length > kLongestKeptText || kept_ + length > kMostKeptBytes) {
      TRY(reader_.Skip(length));
      return std::optional<GgufValue>();
    }
    kept_ += length;
    TRY_ASSIGN(std::string text, reader_.Text(length, kLongestKeptText, "a text"));
    return std::optional<GgufValue>(std::move(text));
  }

  Result<std::optional<GgufValue>> Array(const std::string& key) {
    TRY_ASSIGN(const std::uint32_t type, reader_.Number<std::uint32_t>());
    TRY_ASSIGN(const std::uint64_t count, reader_.Number<std::uint64_t>());
    const std::uint64_t scalar = ScalarBytes(type);
    if (scalar == 0 && type != kText)
      return Fail(Errc::kCorrupt, "{} is an array of the unknown type {}", Printable(key), type);
    // A text takes at least its length.
    const std::uint64_t least = scalar != 0 ? scalar : 8;
    if (count > kMostValues)
      return Fail(Errc::kCorrupt, "{} claims {} values", Printable(key), count);
    if (count * least > static_cast<std::uint64_t>(reader_.left()))
      return Cut(source_.size(), static_cast<std::uint64_t>(reader_.offset()) + count * least,
                 true);
    if (scalar != 0) {
      TRY(reader_.Skip(count * scalar));
      return std::optional<GgufValue>();
    }
    std::vector<std::string> texts;
    bool keep = count <= kLongestKeptArray;
    for (std::uint64_t i = 0; i < count; ++i) {
      TRY_ASSIGN(const std::uint64_t length, reader_.Number<std::uint64_t>());
      keep = keep && kept_ + length <= kMostKeptBytes && length <= kLongestKeptText;
      if (!keep) {
        TRY(reader_.Skip(length));
        continue;
      }
      kept_ += length;
      TRY_ASSIGN(std::string text, reader_.Text(length, kLongestKeptText, "a text"));
      texts.push_back(std::move(text));
    }
    if (!keep) return std::optional<GgufValue>();
    return std::optional<GgufValue>(std::move(texts));
  }

  Result<> Alignment() {
    const auto it = header_.values.find("general.alignment");
    if (it == header_.values.end()) return {};
    const auto* value = std::get_if<std::uint64_t>(&it->second);
    if (value == nullptr || *value == 0 || *value > 65536 || (*value & (*value - 1)) != 0)
      return Fail(Errc::kCorrupt, "general.alignment is not a small power of two");
    alignment_ = static_cast<std::int64_t>(*value);
    return {};
  }

  Result<> Tensor() {
    GgufTensor tensor;
    TRY_ASSIGN(tensor.name, Text(kLongestTensorName, "a tensor name"));
    TRY_ASSIGN(const std::uint32_t rank, reader_.Number<std::uint32_t>());
    const std::string name = Printable(tensor.name);
    if (rank > 4) return Fail(Errc::kCorrupt, "tensor {} has {} dimensions", name, rank);
    tensor.rank = static_cast<int>(rank);
    for (std::uint32_t i = 0; i < rank; ++i) {
      TRY_ASSIGN(tensor.ne[i], reader_.Number<std::int64_t>());
    }
    TRY_ASSIGN(const std::uint32_t type, reader_.Number<std::uint32_t>());
    tensor.type = static_cast<GgmlType>(type);
    if (!Layout(tensor.type))
      return Fail(Errc::kCorrupt, "tensor {} has the unknown type {}", name, type);
    const auto bytes = TensorBytes(tensor.type, tensor.ne);
    if (!bytes)
      return Fail(Errc::kCorrupt, "tensor {} has the impossible shape {} x {} x {} x {} for {}",
                  name, tensor.ne[0], tensor.ne[1], tensor.ne[2], tensor.ne[3],
                  Layout(tensor.type)->name);
    tensor.bytes = *bytes;
    TRY_ASSIGN(tensor.offset, reader_.Number<std::int64_t>());
    header_.tensors.push_back(std::move(tensor));
    return {};
  }

  std::int64_t Padded(std::int64_t offset) const {
    return (offset + alignment_ - 1) & ~(alignment_ - 1);
  }

  // ggml writes tensors one after the other, each at the next aligned offset, and reads no others.
  Result<> Place() {
    header_.data_offset = Padded(reader_.offset());
    header_.end = reader_.offset();
    std::int64_t next = 0;
    for (GgufTensor& tensor : header_.tensors) {
      if (tensor.offset != next)
        return Fail(Errc::kCorrupt, "tensor {} is at {} in the data; {} was expected",
                    Printable(tensor.name), tensor.offset, next);
      tensor.offset += header_.data_offset;
      header_.end = tensor.offset + tensor.bytes;
      if (header_.end > (std::int64_t{1} << 62))
        return Fail(Errc::kCorrupt, "tensor {} would make the file absurdly large",
                    Printable(tensor.name));
      next = Padded(next + tensor.bytes);
    }
    if (header_.end > source_.size())
      return Cut(source_.size(), static_cast<std::uint64_t>(header_.end));
    return {};
  }

  const ByteSource& source_;
  Reader reader_;
  GgufHeader header_;
  std::set<std::string> keys_seen_;
  std::uint64_t tensors_ = 0;
  std::uint64_t keys_ = 0;
  std::uint64_t kept_ = 0;  // bytes of text in header_.values
  std::int64_t alignment_ = kGgufAlignment;
};

}  // namespace

std::optional<std::string> GgufHeader::Text(std::string_view key) const {
  const auto it = values.find(key);
  if (it == values.end()) return std::nullopt;
  const auto* text = std::get_if<std::string>(&it->second);
  return text ? std::optional(*text) : std::nullopt;
}

std::optional<std::uint64_t> GgufHeader::Unsigned(std::string_view key) const {
  const auto it = values.find(key);
  if (it == values.end()) return std::nullopt;
  const auto* number = std::get_if<std::uint64_t>(&it->second);
  return number ? std::optional(*number) : std::nullopt;
}

std::vector<std::string> GgufHeader::Texts(std::string_view key) const {
  const auto it = values.find(key);
  if (it == values.end()) return {};
  const auto* texts = std::get_if<std::vector<std::string>>(&it->second);
  return texts ? *texts : std::vector<std::string>();
}

Result<GgufHeader> ReadGgufHeader(const ByteSource& source) {
  return HeaderReader(source).Read();
}

}  // namespace headroom::models
