// Inspection of bytes that need not be a file; for the importer, tests and fuzzers.
#pragma once

#include <string>

#include "models/formats/import_source.h"
#include "models/formats/inspect.h"

namespace headroom::models {

/// The first 512 bytes, or fewer.
Result<std::string> ReadHead(const ByteSource& source);

/// As Inspect, without the path in front of its errors.
Result<ModelHeader> InspectSource(const ByteSource& source);

}  // namespace headroom::models
