// The child's side of headroom-probe: one request line in, one answer line out.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "observe/probe/device.h"

namespace headroom::probe {

struct ServeOptions {
  std::filesystem::path root = "/";
  std::string nvml;  // library; empty: kNvmlLibrary
};

/// Answers until the input ends. kProtocol at the first line that is no request.
Result<> Serve(int in, int out, const ServeOptions& options);

}  // namespace headroom::probe
