#include "models/import.h"

namespace headroom::models {

Result<ModelHeader> Import(const std::filesystem::path& source, const std::filesystem::path&,
                           const OnImportProgress&, CancelToken*) {
  return Fail(Errc::kUnsupported, "{}: not written yet", source.native());
}

}  // namespace headroom::models
