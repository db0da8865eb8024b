// whisper.cpp's ".bin": a header without keys, the mel filters, the vocabulary, then tensors up to
// the end of the file, each with its own small header.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/formats/gguf.h"
#include "models/formats/import_source.h"

namespace headroom::models {

inline constexpr std::uint32_t kWhisperBinMagic = 0x67676d6c;  // "ggml", "lmgg" in the file

struct WhisperBinHeader {
  std::int32_t vocabulary = 0;
  std::int32_t audio_positions = 0, audio_width = 0, audio_heads = 0, audio_layers = 0;
  std::int32_t text_positions = 0, text_width = 0, text_heads = 0, text_layers = 0;
  std::int32_t mels = 0;
  std::int32_t file_type = 0;  // as general.file_type, plus 1000 x a quantisation version
  std::vector<GgufTensor> tensors;
};

/// Walks the whole file from tensor to tensor. kUnsupported for a .bin that is not Whisper.
Result<WhisperBinHeader> ReadWhisperBinHeader(const ByteSource& source);

}  // namespace headroom::models
