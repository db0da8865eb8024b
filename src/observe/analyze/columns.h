// What a column of a table or a metric of Prometheus means, guessed by its name and unit.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "observe/analyze/evidence.h"

namespace headroom::analyze {

struct Column {
  Metric metric{};
  std::string owner;  // "others", "service"; empty: the device, the host or the table's owner
  double scale = 1;   // to bytes, percent, seconds, degrees
  bool scale_known = false;  // false: by all of its values (see GuessScale)
};

/// "memory.used [MiB]", "vram_used_mib", "rss_mb", "container_memory_rss", "Swap (MB)", …
std::optional<Column> GuessColumn(std::string_view name);
/// For sizes without a unit, by the largest of the column: what would be impossible in MiB is KiB
/// or bytes. `of_process`: rss and pss, which ps and the kernel give in KiB.
double GuessScale(double largest, bool of_process);
/// The size in bytes of "MiB", "[MiB]", "kb", "bytes"; nullopt for what is no unit of size.
std::optional<double> UnitScale(std::string_view unit);

}  // namespace headroom::analyze
