#include "models/formats/whisper_bin.h"

#include <cstdint>
#include <set>

#include "base/text.h"
#include "models/formats/import_mel.h"

namespace headroom::models {
namespace {

constexpr std::uint64_t kLongestToken = 1024;
constexpr std::uint64_t kLongestName = 256;
constexpr std::size_t kMostTensors = 65536;
constexpr std::int64_t kMostLayers = 64;

// Of a Whisper with these layers: 11 at the top, and per layer as the model has them.
std::size_t ExpectedTensors(const WhisperBinHeader& header) {
  return 11 + 15 * static_cast<std::size_t>(header.audio_layers) +
         24 * static_cast<std::size_t>(header.text_layers);
}

bool LooksLikeWhisper(const WhisperBinHeader& h) {
  const auto between = [](std::int64_t value, std::int64_t low, std::int64_t high) {
    return value >= low && value <= high;
  };
  return between(h.vocabulary, 51864, 51866) && between(h.audio_positions, 1, 4096) &&
         between(h.text_positions, 1, 4096) && between(h.audio_layers, 1, kMostLayers) &&
         between(h.text_layers, 1, kMostLayers) && between(h.audio_width, 1, 16384) &&
         h.text_width == h.audio_width && between(h.audio_heads, 1, h.audio_width) &&
         h.audio_width % h.audio_heads == 0 && between(h.text_heads, 1, h.text_width) &&
         h.text_width % h.text_heads == 0 && (h.mels == 80 || h.mels == 128) &&
         between(h.file_type % 1000, 0, 40);
}

Result<GgufTensor> ReadTensor(Reader& reader) {
  GgufTensor tensor;
  TRY_ASSIGN(const std::int32_t rank, reader.Number<std::int32_t>());
  TRY_ASSIGN(const std::int32_t length, reader.Number<std::int32_t>());
  TRY_ASSIGN(const std::uint32_t type, reader.Number<std::uint32_t>());
  if (rank < 1 || rank > 4) return Fail(Errc::kCorrupt, "a tensor of {} dimensions", rank);
  if (length < 1) return Fail(Errc::kCorrupt, "a tensor without a name");
  tensor.rank = rank;
  tensor.type = static_cast<GgmlType>(type);
  for (int i = 0; i < rank; ++i) {
    TRY_ASSIGN(tensor.ne[static_cast<std::size_t>(i)], reader.Number<std::int32_t>());
  }
  TRY_ASSIGN(tensor.name,
             reader.Text(static_cast<std::uint64_t>(length), kLongestName, "a tensor name"));
  const std::string name = Printable(tensor.name);
  if (!Layout(tensor.type))
    return Fail(Errc::kCorrupt, "tensor {} has the unknown type {}", name, type);
  const auto bytes = TensorBytes(tensor.type, tensor.ne);
  if (!bytes) return Fail(Errc::kCorrupt, "tensor {} has an impossible shape", name);
  tensor.bytes = *bytes;
  tensor.offset = reader.offset();
  auto skipped = reader.Skip(static_cast<std::uint64_t>(*bytes));
  if (!skipped) return Within(skipped, "tensor {}", name);
  return tensor;
}

}  // namespace

Result<WhisperBinHeader> ReadWhisperBinHeader(const ByteSource& source) {
  Reader reader(source);
  WhisperBinHeader header;
  TRY_ASSIGN(const std::uint32_t magic, reader.Number<std::uint32_t>());
  if (magic != kWhisperBinMagic) return Fail(Errc::kInvalid, "not a whisper.cpp .bin");
  for (std::int32_t* field :
       {&header.vocabulary, &header.audio_positions, &header.audio_width, &header.audio_heads,
        &header.audio_layers, &header.text_positions, &header.text_width, &header.text_heads,
        &header.text_layers, &header.mels, &header.file_type}) {
    TRY_ASSIGN(*field, reader.Number<std::int32_t>());
  }
  if (!LooksLikeWhisper(header))
    return Fail(Errc::kUnsupported, "an old ggml file, and not a Whisper model");
  TRY_ASSIGN(const std::int32_t mels, reader.Number<std::int32_t>());
  TRY_ASSIGN(const std::int32_t bins, reader.Number<std::int32_t>());
  if (mels != header.mels || bins != kWhisperBins)
    return Fail(Errc::kCorrupt, "mel filters of {} x {} for {} bands", mels, bins, header.mels);
  TRY(reader.Skip(static_cast<std::uint64_t>(mels) * kWhisperBins * sizeof(float)));
  TRY_ASSIGN(const std::int32_t tokens, reader.Number<std::int32_t>());
  if (tokens < 1 || tokens > header.vocabulary)
    return Fail(Errc::kCorrupt, "{} tokens for a vocabulary of {}", tokens, header.vocabulary);
  for (std::int32_t i = 0; i < tokens; ++i) {
    TRY_ASSIGN(const std::uint32_t length, reader.Number<std::uint32_t>());
    if (length > kLongestToken) return Fail(Errc::kCorrupt, "token {} of {} bytes", i, length);
    TRY(reader.Skip(length));
  }
  std::set<std::string> names;
  while (reader.left() > 0) {
    if (header.tensors.size() >= kMostTensors) return Fail(Errc::kCorrupt, "too many tensors");
    TRY_ASSIGN(GgufTensor tensor, ReadTensor(reader));
    if (!names.insert(tensor.name).second)
      return Fail(Errc::kCorrupt, "two tensors are called \"{}\"", Printable(tensor.name));
    header.tensors.push_back(std::move(tensor));
  }
  // The format has no count, so a file that was cut between two tensors shows only here.
  if (const std::size_t expected = ExpectedTensors(header); header.tensors.size() != expected)
    return Fail(Errc::kCorrupt, "the file is {}: {} tensors are there in {} bytes, {} should be",
                header.tensors.size() < expected ? "cut" : "damaged", header.tensors.size(),
                source.size(), expected);
  return header;
}

}  // namespace headroom::models
