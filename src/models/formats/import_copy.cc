#include "models/formats/import_copy.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "base/text.h"
#include "models/formats/gguf.h"
#include "models/formats/import_numbers.h"
#include "models/formats/import_output.h"
#include "models/formats/inspect_kind.h"
#include "models/formats/inspect_source.h"
#include "models/formats/whisper_bin.h"

namespace headroom::models {
namespace {

constexpr std::int64_t kBlock = 4 << 20;

Result<std::vector<GgufTensor>> Tensors(const ByteSource& source) {
  TRY_ASSIGN(const std::string head, ReadHead(source));
  if (KindOf(head, source.size()) == FileKind::kGguf) {
    TRY_ASSIGN(GgufHeader header, ReadGgufHeader(source));
    return std::move(header.tensors);
  }
  TRY_ASSIGN(WhisperBinHeader header, ReadWhisperBinHeader(source));
  return std::move(header.tensors);
}

}  // namespace

Result<> CopyModel(const FileSource& source, const std::filesystem::path& destination,
                   const OnImportProgress& progress, CancelToken* cancel) {
  const Bytes total(source.size());
  TRY_ASSIGN(const std::vector<GgufTensor> tensors, Tensors(source));
  TRY_ASSIGN(PendingFile file, PendingFile::Make(destination, total));
  const bool cloned = ::ioctl(file.fd(), FICLONE, source.fd()) == 0;
  std::vector<std::byte> block;
  // Blocks end where tensors do, so that each belongs to at most one.
  auto tensor = tensors.begin();
  for (std::int64_t at = 0; at < source.size();) {
    if (cancel != nullptr && cancel->raised()) return Fail(Errc::kCancelled, "import stopped");
    while (tensor != tensors.end() && at >= tensor->offset + tensor->bytes) ++tensor;
    const bool inside = tensor != tensors.end() && at >= tensor->offset;
    const std::int64_t until = tensor == tensors.end() ? source.size()
                               : inside                ? tensor->offset + tensor->bytes
                                                       : tensor->offset;
    block.resize(static_cast<std::size_t>(std::min(kBlock, until - at)));
    TRY(source.ReadAt(at, block));
    if (inside && !AllFinite(tensor->type, block))
      return Fail(Errc::kCorrupt, "{}: not every weight is a finite number",
                  Printable(tensor->name));
    if (!cloned) TRY(file.Write(block));
    at += static_cast<std::int64_t>(block.size());
    if (progress && (block.size() == kBlock || at == source.size())) progress({Bytes(at), total});
  }
  return file.Commit();
}

}  // namespace headroom::models
