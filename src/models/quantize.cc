#include "models/quantize.h"

namespace headroom::models {

Result<ModelHeader> Quantize(const std::filesystem::path& in, const std::filesystem::path&,
                             std::string_view, const OnImportProgress&, CancelToken*) {
  return Fail(Errc::kUnsupported, "{}: not written yet", in.native());
}

}  // namespace headroom::models
