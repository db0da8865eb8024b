// What a model file says about itself, read from its header only: a 3 GB file costs a few
// megabytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom::models {

enum class ModelFormat {
  kGguf,
  kWhisperBin,  // whisper.cpp's older ".bin"
};

/// "GGUF", "whisper.cpp .bin"
std::string_view Name(ModelFormat format);

struct ModelHeader {
  ModelFormat format = ModelFormat::kGguf;
  std::string architecture;  // "whisper", "canary", "silero_vad"
  std::string variant;       // "whisper-tiny.en"; empty when the file does not say
  std::string quantisation;  // "F32", "F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", …
  std::int64_t tensors = 0;
  std::int64_t parameters = 0;         // numbers in all tensors
  Bytes size;                          // of the whole file
  std::vector<std::string> languages;  // ISO 639 codes; empty when the file does not say
};

/// Reads and checks the header, and that everything the header promises lies inside the file.
/// kCorrupt: cut or damaged. kInvalid: not a model file, and what it is instead. kUnsupported: a
/// model in a format that has to be imported first. Any thread.
Result<ModelHeader> Inspect(const std::filesystem::path& path);

}  // namespace headroom::models
