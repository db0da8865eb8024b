#include "models/formats/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"

namespace headroom::models {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLongestHeader = 16 << 20;
constexpr std::size_t kMostTensors = 65536;

std::int64_t NumberBytes(std::string_view dtype) {
  for (const std::string_view one : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"})
    if (dtype == one) return 1;
  for (const std::string_view two : {"U16", "I16", "F16", "BF16"})
    if (dtype == two) return 2;
  for (const std::string_view four : {"U32", "I32", "F32"})
    if (dtype == four) return 4;
  for (const std::string_view eight : {"U64", "I64", "F64"})
    if (dtype == eight) return 8;
  return 0;
}

bool IsCount(const json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 48);
}

Result<SafeTensor> ParseTensor(const json& entry) {
  if (!entry.is_object()) return Fail(Errc::kCorrupt, "not an object");
  const json dtype = entry.value("dtype", json());
  const json shape = entry.value("shape", json());
  const json offsets = entry.value("data_offsets", json());
  if (!dtype.is_string() || !shape.is_array() || shape.size() > 8 || !offsets.is_array() ||
      offsets.size() != 2 || !IsCount(offsets[0]) || !IsCount(offsets[1]))
    return Fail(Errc::kCorrupt, "no dtype, shape and data_offsets");
  SafeTensor tensor;
  tensor.dtype = dtype.get<std::string>();
  std::int64_t bytes = NumberBytes(tensor.dtype);
  if (bytes == 0) return Fail(Errc::kUnsupported, "unknown dtype {}", Printable(tensor.dtype));
  for (const json& dim : shape) {
    if (!IsCount(dim)) return Fail(Errc::kCorrupt, "a dimension that is no count");
    tensor.shape.push_back(dim.get<std::int64_t>());
    if (tensor.shape.back() != 0 && bytes > (std::int64_t{1} << 48) / tensor.shape.back())
      return Fail(Errc::kCorrupt, "an impossible shape");
    bytes *= tensor.shape.back();
  }
  tensor.offset = offsets[0].get<std::int64_t>();
  tensor.bytes = offsets[1].get<std::int64_t>() - tensor.offset;
  if (tensor.bytes != bytes)
    return Fail(Errc::kCorrupt, "{} bytes; its shape asks for {}", tensor.bytes, bytes);
  return tensor;
}

// Two entries of one name would be merged silently by the parser.
class NoDuplicates {
 public:
  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key &&
        !names_.insert(parsed.get<std::string>()).second)
      duplicate_ = parsed.get<std::string>();
    return true;
  }
  const std::string& duplicate() const { return duplicate_; }

 private:
  std::set<std::string> names_;
  std::string duplicate_;  // empty: none
};

}  // namespace

bool LooksLikeSafetensors(std::string_view head, std::int64_t file_size) {
  if (head.size() < 10) return false;
  std::uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof length);
  return length >= 2 && length <= kLongestHeader && head[8] == '{' &&
         (static_cast<std::int64_t>(length) + 8 <= file_size || head[9] == '"');
}

Result<std::map<std::string, SafeTensor>> ReadSafetensorsHeader(const ByteSource& source) {
  Reader reader(source);
  TRY_ASSIGN(const std::uint64_t length, reader.Number<std::uint64_t>());
  TRY_ASSIGN(const std::string text, reader.Text(length, kLongestHeader, "a header"));
  NoDuplicates names;
  const json root = json::parse(text, std::ref(names), false);
  if (root.is_discarded() || !root.is_object())
    return Fail(Errc::kCorrupt, "its header is not a JSON object");
  if (!names.duplicate().empty())
    return Fail(Errc::kCorrupt, "two tensors are called \"{}\"", Printable(names.duplicate()));
  if (root.size() > kMostTensors) return Fail(Errc::kCorrupt, "it claims {} tensors", root.size());

  std::map<std::string, SafeTensor> tensors;
  for (const auto& [name, entry] : root.items()) {
    if (name == "__metadata__") continue;
    auto tensor = ParseTensor(entry);
    if (!tensor) return Within(tensor, "tensor {}", Printable(name));
    tensors.emplace(name, std::move(*tensor));
  }
  std::vector<SafeTensor*> in_order;
  for (auto& [name, tensor] : tensors) in_order.push_back(&tensor);
  std::ranges::sort(in_order, [](const SafeTensor* a, const SafeTensor* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  std::int64_t next = 0;
  for (SafeTensor* tensor : in_order) {
    if (tensor->offset != next)
      return Fail(Errc::kCorrupt, "a tensor is at {} in the data; {} was expected", tensor->offset,
                  next);
    next += tensor->bytes;
    tensor->offset += reader.offset();
  }
  if (next > reader.left())
    return Cut(source.size(), static_cast<std::uint64_t>(reader.offset() + next));
  if (next < reader.left())
    return Fail(Errc::kCorrupt, "{} bytes after the last tensor", reader.left() - next);
  return tensors;
}

}  // namespace headroom::models
