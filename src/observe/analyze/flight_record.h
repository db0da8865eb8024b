// Our own flight record (src/record) as one more source of evidence. The record is sparse: a sample
// says how long it held, so it is repeated here every ten seconds of that time, and a gap stays
// one.
#pragma once

#include <filesystem>

#include "observe/analyze/reader.h"

namespace headroom::analyze {

/// The service's own: $XDG_STATE_HOME/headroom/flight-record.db.
std::filesystem::path OwnFlightRecord();

/// By its header; false for one that cannot be read.
bool IsFlightRecord(const std::filesystem::path& path);

/// Honours from, to and unit of the options. Damage is noted.
Result<> ReadFlightRecord(const std::filesystem::path& path, const ReadOptions& options,
                          Evidence& evidence);

}  // namespace headroom::analyze
