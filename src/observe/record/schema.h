// The tables of a flight record; docs/flight-record.md describes them.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/sqlite/database.h"

namespace headroom::record {

/// PRAGMA application_id: "HDRF".
inline constexpr std::int64_t kApplicationId = 0x48445246;

/// An open file of the present version, made or brought up to date where needed. kCorrupt: damaged;
/// kUnsupported: a newer version's file, or a database that is no flight record.
Result<sql::Database> OpenForWriting(const std::filesystem::path& path);
/// kCorrupt and kUnsupported as above. Changes nothing.
Result<sql::Database> OpenForReading(const std::filesystem::path& path);

/// Renames the file (and its -wal) to path.damaged-N, the first N that is free; returns the name.
Result<std::filesystem::path> SetAside(const std::filesystem::path& path);

}  // namespace headroom::record
