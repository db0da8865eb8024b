// Recognises what people paste from a terminal. Private to src/observe/analyze.
#pragma once

#include <string_view>

namespace headroom::analyze {

enum class Look {
  kNothing,
  kSmiTable,
  kSmiQuery,
  kRocmSmi,
  kFree,
  kVmstat,
  kSar,
  kPs,
  kSmaps,
  kKubectlTop,
  kDockerStats,
  kExporter,
};
/// By the first 8 KiB.
Look LookOf(std::string_view beginning);

}  // namespace headroom::analyze
