#include "models/formats/inspect.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "models/formats/gguf.h"
#include "models/formats/inspect_kind.h"
#include "models/formats/inspect_source.h"
#include "models/formats/tokenizer.h"
#include "models/formats/whisper_bin.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;

void AddTensors(const std::vector<GgufTensor>& tensors, ModelHeader& header) {
  header.tensors = static_cast<std::int64_t>(tensors.size());
  for (const GgufTensor& tensor : tensors) header.parameters += tensor.elements();
}

// The type that most bytes have, for files that do not say.
std::string CommonType(const std::vector<GgufTensor>& tensors) {
  std::map<GgmlType, std::int64_t> bytes;
  for (const GgufTensor& tensor : tensors) bytes[tensor.type] += tensor.bytes;
  const auto most =
      std::ranges::max_element(bytes, {}, [](const auto& entry) { return entry.second; });
  return most == bytes.end() ? "" : std::string(Layout(most->first)->name);
}

std::string Quantisation(std::optional<std::uint64_t> file_type,
                         const std::vector<GgufTensor>& tensors) {
  const auto name = file_type ? FileTypeName(*file_type) : std::nullopt;
  return name ? std::string(*name) : CommonType(tensors);
}

Result<ModelHeader> FromGguf(const ByteSource& source) {
  TRY_ASSIGN(const GgufHeader gguf, ReadGgufHeader(source));
  ModelHeader header;
  header.format = ModelFormat::kGguf;
  header.size = Bytes(source.size());
  header.architecture = Printable(gguf.Text("general.architecture").value_or(""));
  if (header.architecture.empty())
    return Fail(Errc::kCorrupt, "a GGUF file that does not say its architecture");
  if (gguf.tensors.empty()) return Fail(Errc::kCorrupt, "a GGUF file without tensors");
  header.variant = Printable(gguf.Text("stt.variant").value_or(""));
  header.quantisation = Quantisation(gguf.Unsigned("general.file_type"), gguf.tensors);
  for (const std::string& language : gguf.Texts("general.languages"))
    header.languages.push_back(Printable(language));
  AddTensors(gguf.tensors, header);
  return header;
}

std::string VariantOf(const WhisperBinHeader& bin) {
  static const std::map<std::int32_t, const char*> kNames{
      {4, "-tiny"}, {6, "-base"}, {12, "-small"}, {24, "-medium"}, {32, "-large"}};
  const auto it = kNames.find(bin.audio_layers);
  std::string name = std::string("whisper") + (it == kNames.end() ? "" : it->second);
  if (bin.audio_layers == 32 && bin.mels == 128) name += "-v3";
  if (bin.audio_layers == 32 && bin.text_layers == 4) name += "-turbo";
  return bin.vocabulary >= 51865 ? name : name + ".en";
}

Result<ModelHeader> FromWhisperBin(const ByteSource& source) {
  TRY_ASSIGN(const WhisperBinHeader bin, ReadWhisperBinHeader(source));
  ModelHeader header;
  header.format = ModelFormat::kWhisperBin;
  header.size = Bytes(source.size());
  header.architecture = "whisper";
  header.variant = VariantOf(bin);
  header.quantisation = Quantisation(static_cast<std::uint64_t>(bin.file_type % 1000), bin.tensors);
  header.languages = WhisperLanguages();
  header.languages.resize(bin.vocabulary >= 51866 ? 100 : bin.vocabulary == 51865 ? 99 : 1);
  AddTensors(bin.tensors, header);
  return header;
}

}  // namespace

std::string_view Name(ModelFormat format) {
  return format == ModelFormat::kGguf ? "GGUF" : "whisper.cpp .bin";
}

Result<std::string> ReadHead(const ByteSource& source) {
  std::string head(static_cast<std::size_t>(std::min<std::int64_t>(512, source.size())), '\0');
  TRY(source.ReadAt(0, std::as_writable_bytes(std::span(head))));
  return head;
}

Result<ModelHeader> InspectSource(const ByteSource& source) {
  TRY_ASSIGN(const std::string head, ReadHead(source));
  switch (KindOf(head, source.size())) {
    case FileKind::kGguf:
      return FromGguf(source);
    case FileKind::kWhisperBin:
      return FromWhisperBin(source);
    case FileKind::kCt2:
      return Fail(Errc::kUnsupported, "a CTranslate2 model: import its folder");
    case FileKind::kSafetensors:
      return Fail(Errc::kUnsupported, "a .safetensors file: import it");
    case FileKind::kOther:
      break;
  }
  return Fail(DescribeOther(head, source.size()));
}

Result<ModelHeader> Inspect(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    if (fs::exists(path / "model.bin", ignored))
      return Fail(Errc::kUnsupported, "{}: a CTranslate2 folder: import it", path.native());
    return Fail(Errc::kInvalid, "{}: a folder without a model that is known here", path.native());
  }
  TRY_ASSIGN(const FileSource source, FileSource::Open(path));
  auto header = InspectSource(source);
  if (!header) return Within(header, "{}", path.native());
  return header;
}

}  // namespace headroom::models
