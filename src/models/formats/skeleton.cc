#include "models/formats/skeleton.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "models/formats/skeleton_parts.h"
#include "models/formats/skeleton_types.h"

namespace headroom::models {
namespace {

struct Family {
  bool (*has)(std::string_view model);
  bool (*add)(std::string_view model, SkeletonParts& parts);
};
constexpr Family kFamilies[] = {
    {IsWhisper, AddWhisper}, {IsCanary, AddCanary}, {IsParakeet, AddParakeet}};

bool AddFamily(std::string_view model, SkeletonParts& parts) {
  return std::ranges::any_of(kFamilies,
                             [&](const Family& family) { return family.add(model, parts); });
}

}  // namespace

void SkeletonParts::Tensor(std::string name, std::initializer_list<std::int64_t> ne) {
  GgufTensor tensor;
  tensor.name = std::move(name);
  tensor.rank = static_cast<int>(ne.size());
  std::ranges::copy(ne, tensor.ne.begin());
  tensors.push_back(std::move(tensor));
}

void SkeletonParts::Linear(const std::string& name, std::int64_t in, std::int64_t out) {
  Tensor(name + ".weight", {in, out});
  Tensor(name + ".bias", {out});
}

void SkeletonParts::Norm(const std::string& name, std::int64_t width) {
  Tensor(name + ".weight", {width});
  Tensor(name + ".bias", {width});
}

const std::vector<std::string>& European25() {
  static const std::vector<std::string> languages = {
      "bg", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "hu", "it",
      "lv", "lt", "mt", "pl", "pt", "ro", "sk", "sl", "es", "sv", "ru", "uk"};
  return languages;
}

bool HasSkeleton(std::string_view model) {
  return std::ranges::any_of(kFamilies, [&](const Family& family) { return family.has(model); });
}

Result<Skeleton> MakeSkeleton(std::string_view model, std::string_view quantisation) {
  const auto file_type = FileTypeOf(quantisation);
  if (!file_type)
    return Fail(Errc::kInvalid, "{}: no quantisation that can be planned", Printable(quantisation));
  SkeletonParts parts;
  parts.file_type = *file_type;
  if (!AddFamily(model, parts))
    return Fail(Errc::kNotFound, "{}: its shapes are not known", Printable(model));
  for (GgufTensor& tensor : parts.tensors)
    tensor.type = *TypeIn(quantisation, tensor.name, tensor.ne[0]);
  Skeleton skeleton;
  skeleton.header = EncodeGgufHeader(parts.keys, parts.tensors);
  skeleton.tensors = std::move(parts.tensors);
  const GgufTensor& last = skeleton.tensors.back();
  skeleton.size = Bytes(last.offset + last.bytes + GgufPadding(last.bytes));
  return skeleton;
}

Result<> WriteSkeleton(const Skeleton& skeleton, const std::filesystem::path& path) {
  TRY_ASSIGN(const Fd file, Open(path.native(), O_WRONLY | O_CREAT | O_TRUNC));
  TRY(WriteAll(file.get(), skeleton.header));
  if (::ftruncate(file.get(), skeleton.size.n) != 0)
    return FailErrno(errno, "make {} {} bytes long", path.native(), skeleton.size.n);
  return {};
}

}  // namespace headroom::models
