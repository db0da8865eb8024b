#include "models/formats/ct2.h"

#include <algorithm>

#include "base/text.h"

namespace headroom::models {
namespace {

constexpr std::uint32_t kMostVariables = 65536;
constexpr std::uint64_t kLongestName = 512;

std::int64_t NumberBytes(Ct2Type type) {
  switch (type) {
    case Ct2Type::kI8:
      return 1;
    case Ct2Type::kI16:
    case Ct2Type::kF16:
    case Ct2Type::kBF16:
      return 2;
    case Ct2Type::kF32:
    case Ct2Type::kI32:
      return 4;
  }
  return 0;
}

// A 16-bit length that counts the closing NUL.
Result<std::string> Name(Reader& reader) {
  TRY_ASSIGN(const std::uint16_t length, reader.Number<std::uint16_t>());
  TRY_ASSIGN(std::string name, reader.Text(length, kLongestName, "a name"));
  if (name.size() < 2 || name.find('\0') != name.size() - 1)
    return Fail(Errc::kCorrupt, "a name that does not end where it should");
  name.pop_back();
  return name;
}

Result<> ReadVariable(Reader& reader, Ct2Model& model) {
  TRY_ASSIGN(std::string name, Name(reader));
  const std::string shown = Printable(name);
  Ct2Variable variable;
  TRY_ASSIGN(const std::uint8_t rank, reader.Number<std::uint8_t>());
  if (rank > 4) return Fail(Errc::kCorrupt, "{} has {} dimensions", shown, rank);
  std::uint64_t numbers = 1;
  for (int i = 0; i < rank; ++i) {
    TRY_ASSIGN(const std::uint32_t dim, reader.Number<std::uint32_t>());
    variable.dims.push_back(dim);
    if (dim == 0 || numbers > (std::uint64_t{1} << 32) / dim)
      return Fail(Errc::kCorrupt, "{} has an impossible shape", shown);
    numbers *= dim;
  }
  TRY_ASSIGN(const std::uint8_t type, reader.Number<std::uint8_t>());
  variable.type = static_cast<Ct2Type>(type);
  const std::int64_t each = NumberBytes(variable.type);
  if (each == 0) return Fail(Errc::kUnsupported, "{} has the unknown type {}", shown, type);
  TRY_ASSIGN(variable.bytes, reader.Number<std::uint32_t>());
  if (static_cast<std::uint64_t>(variable.bytes) != numbers * static_cast<std::uint64_t>(each))
    return Fail(Errc::kCorrupt, "{} has {} bytes; its shape asks for {}", shown, variable.bytes,
                numbers * static_cast<std::uint64_t>(each));
  variable.offset = reader.offset();
  TRY(reader.Skip(static_cast<std::uint64_t>(variable.bytes)));
  if (!model.variables.emplace(std::move(name), std::move(variable)).second)
    return Fail(Errc::kCorrupt, "{} is there twice", shown);
  return {};
}

}  // namespace

bool LooksLikeCt2(std::string_view head) {
  // u32 version 1..9, u16 length, "...Spec\0"
  if (head.size() < 12 || head[0] < 1 || head[0] > 9 ||
      head.substr(1, 3) != std::string_view("\0\0\0", 3))
    return false;
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(head[4]));
  return head[5] == 0 && length >= 6 && length + 6 <= head.size() &&
         head.substr(6 + length - 5, 5) == std::string_view("Spec\0", 5);
}

Result<Ct2Model> ReadCt2Model(const ByteSource& source) {
  Reader reader(source);
  TRY_ASSIGN(const std::uint32_t version, reader.Number<std::uint32_t>());
  if (version != 5 && version != 6)
    return Fail(
        Errc::kUnsupported,
        "model.bin version {}; 5 and 6 are known (convert it again with CTranslate2 3.12 or newer)",
        version);
  Ct2Model model;
  TRY_ASSIGN(model.spec, Name(reader));
  TRY_ASSIGN(model.revision, reader.Number<std::uint32_t>());
  TRY_ASSIGN(const std::uint32_t count, reader.Number<std::uint32_t>());
  if (count > kMostVariables) return Fail(Errc::kCorrupt, "it claims {} variables", count);
  for (std::uint32_t i = 0; i < count; ++i) TRY(ReadVariable(reader, model));
  TRY_ASSIGN(const std::uint32_t aliases, reader.Number<std::uint32_t>());
  if (aliases > kMostVariables) return Fail(Errc::kCorrupt, "it claims {} aliases", aliases);
  for (std::uint32_t i = 0; i < aliases; ++i) {
    TRY_ASSIGN(std::string alias, Name(reader));
    TRY_ASSIGN(std::string of, Name(reader));
    if (!model.variables.contains(of))
      return Fail(Errc::kCorrupt, "{} stands for {}, which is not there", Printable(alias),
                  Printable(of));
    model.aliases.emplace_back(std::move(alias), std::move(of));
  }
  if (reader.left() != 0)
    return Fail(Errc::kCorrupt, "{} bytes after the end of the model", reader.left());
  return model;
}

}  // namespace headroom::models
