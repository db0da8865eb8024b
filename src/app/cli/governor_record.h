// A flight record as a trace for `headroom governor replay`.
#pragma once

#include <optional>

#include "base/error.h"
#include "memory/trace.h"
#include "observe/record/reader.h"

namespace headroom::cli {

/// The times are since the first sample. Of several cards the one with the most memory. A gap in
/// the record is time in no zone. kInvalid: more rows than a replay takes.
Result<memory::Trace> TraceFrom(record::Reader& reader);

}  // namespace headroom::cli
