// Converts a flight record to a trace for `headroom governor replay`.
#pragma once

#include <optional>

#include "base/error.h"
#include "memory/trace.h"
#include "observe/record/reader.h"

namespace headroom::cli {

/// Times count from the first sample. Of several GPUs, the one with the most memory is taken. A gap
/// in the record is time in no zone. kInvalid: more rows than a replay takes.
Result<memory::Trace> TraceFrom(record::Reader& reader);

}  // namespace headroom::cli
