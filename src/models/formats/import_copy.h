// Models that need no conversion.
#pragma once

#include "models/formats/import.h"
#include "models/formats/import_source.h"

namespace headroom::models {

/// Checks every F32, F16 and BF16 weight, then clones the file where the file system can, or
/// copies it.
Result<> CopyModel(const FileSource& source, const std::filesystem::path& destination,
                   const OnImportProgress& progress, CancelToken* cancel);

}  // namespace headroom::models
