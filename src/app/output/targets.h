// The targets behind MakeTarget; one file for each.
#pragma once

#include <memory>

#include "app/output/target.h"

namespace headroom::output {

std::unique_ptr<Target> MakeStdoutTarget(const TargetOptions& options);
std::unique_ptr<Target> MakeFileTarget(const TargetOptions& options);
std::unique_ptr<Target> MakeCommandTarget(const TargetOptions& options);
std::unique_ptr<Target> MakeClipboardTarget(const TargetOptions& options);
Result<std::unique_ptr<Target>> MakeTypingTarget(const TargetOptions& options);

}  // namespace headroom::output
