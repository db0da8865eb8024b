#include "models/inspect.h"

namespace headroom::models {

Result<ModelHeader> Inspect(const std::filesystem::path& path) {
  return Fail(Errc::kUnsupported, "{}: not written yet", path.native());
}

}  // namespace headroom::models
