#include "net/control/control.h"

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace headroom::net {

Answer::~Answer() {
  if (sink_) (*this)(Fail(Errc::kInternal, "the daemon forgot this request"));
}

void Answer::operator()(Result<nlohmann::json> result) {
  CHECK(sink_);
  std::exchange(sink_, nullptr)(std::move(result));
}

}  // namespace headroom::net
