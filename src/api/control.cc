#include "api/control.h"

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace headroom::api {

Answer::~Answer() {
  if (sink_) (*this)(Fail(Errc::kInternal, "the daemon forgot this request"));
}

void Answer::operator()(Result<nlohmann::json> result) {
  CHECK(sink_);
  std::exchange(sink_, nullptr)(std::move(result));
}

}  // namespace headroom::api
