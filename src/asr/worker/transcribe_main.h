// What every worker program with transcribe.cpp inside does.
#pragma once

#include <memory>

#include "asr/worker/placement.h"

namespace headroom::worker {

/// Serves on descriptor 3. With `--record-profile` it writes the profile of its device to stdout
/// instead. Returns the exit code.
int TranscribeMain(int argc, char** argv, std::unique_ptr<Placement> placement);

}  // namespace headroom::worker
