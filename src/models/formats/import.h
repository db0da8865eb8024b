// Turns the model formats that people have into the one that the engine loads, GGUF.
//
//   a CTranslate2 Whisper folder, or its model.bin   converted
//   Silero VAD as .safetensors                       converted
//   GGUF, whisper.cpp .bin                           checked, then cloned or copied
//
// Streaming: memory stays under 200 MB however large the model is. The destination appears whole or
// not at all. docs/models.md lists every field that is read and written.
#pragma once

#include <filesystem>
#include <functional>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/error.h"
#include "models/formats/inspect.h"

namespace headroom::models {

struct ImportProgress {
  Bytes done, total;
};
/// Called on the importing thread, at most once per few megabytes; may be empty.
using OnImportProgress = std::function<void(const ImportProgress&)>;

/// Writes `destination` (what was a .bin stays a .bin inside) and returns its header. An existing
/// destination is replaced. Weights that are not finite are refused (kCorrupt). `cancel` may be
/// null. Blocks; any thread.
Result<ModelHeader> Import(const std::filesystem::path& source,
                           const std::filesystem::path& destination,
                           const OnImportProgress& progress, CancelToken* cancel);

}  // namespace headroom::models
