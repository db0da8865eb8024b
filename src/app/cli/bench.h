// The two things that headroom bench measures.
#pragma once

#include <string>
#include <vector>

#include "audio/decode/media_reader.h"
#include "audio/format/format.h"
#include "base/error.h"

namespace headroom::cli {

struct BenchModelsOptions {
  std::vector<std::string> models;
  std::string clips, language = "en", format = "text", output;
  bool published = false;
  int threads = 0, runs = 2;
};
Result<int> BenchModels(const BenchModelsOptions& options);

struct BenchVadOptions {
  std::vector<std::string> files;
  bool json = false;
};
Result<int> BenchVad(const BenchVadOptions& options);

/// All of a recording's sound; kInvalid when it is longer than `longest`.
Result<std::vector<float>> ReadSound(const std::string& path, Milliseconds longest);

}  // namespace headroom::cli
