#include "models/formats/import.h"

#include "models/formats/ct2_whisper.h"
#include "models/formats/import_copy.h"
#include "models/formats/import_plan.h"
#include "models/formats/import_silero.h"
#include "models/formats/import_source.h"
#include "models/formats/inspect_kind.h"
#include "models/formats/inspect_source.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;

// The file that says what a folder is, or why it is none of ours.
Result<fs::path> MainFile(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "model.bin", ignored)) return folder / "model.bin";
  for (const char* other : {"model.safetensors", "pytorch_model.bin", "model.pt"}) {
    if (fs::exists(folder / other, ignored))
      return Fail(
          Errc::kUnsupported,
          "{}: {} is PyTorch's; convert it with CTranslate2 (ct2-transformers-converter) and "
          "import that folder",
          folder.native(), other);
  }
  return Fail(Errc::kNotFound, "{}: no model.bin in this folder", folder.native());
}

Result<> ImportFile(const fs::path& path, const fs::path& destination,
                    const OnImportProgress& progress, CancelToken* cancel) {
  TRY_ASSIGN(const FileSource source, FileSource::Open(path));
  // Errors that are the source's fault begin with its path, others with the destination's already.
  const auto in_file = [&](auto& failed) {
    const Errc code = failed.error().code;
    const bool ours = code == Errc::kCorrupt || code == Errc::kUnsupported;
    return ours ? Within(failed, "{}", path.native()) : Fail(std::move(failed.error()));
  };
  auto head = ReadHead(source);
  if (!head) return in_file(head);
  switch (KindOf(*head, source.size())) {
    case FileKind::kGguf:
    case FileKind::kWhisperBin: {
      if (auto header = InspectSource(source); !header) return in_file(header);
      auto copied = CopyModel(source, destination, progress, cancel);
      if (!copied) return in_file(copied);
      return {};
    }
    case FileKind::kCt2: {
      TRY_ASSIGN(ImportPlan plan, PlanCt2Whisper(path.parent_path(), source));
      auto written = WritePlan(std::move(plan), source, destination, progress, cancel);
      if (!written) return in_file(written);
      return {};
    }
    case FileKind::kSafetensors: {
      auto plan = PlanSilero(source);
      if (!plan) return in_file(plan);
      auto written = WritePlan(std::move(*plan), source, destination, progress, cancel);
      if (!written) return in_file(written);
      return {};
    }
    case FileKind::kOther:
      break;
  }
  return Fail(DescribeOther(*head, source.size()).Within(path.native()));
}

}  // namespace

Result<ModelHeader> Import(const fs::path& source, const fs::path& destination,
                           const OnImportProgress& progress, CancelToken* cancel) {
  std::error_code ignored;
  fs::path file = source;
  if (fs::is_directory(source, ignored)) {
    TRY_ASSIGN(file, MainFile(source));
  }
  TRY(ImportFile(file, destination, progress, cancel));
  return Inspect(destination);
}

}  // namespace headroom::models
