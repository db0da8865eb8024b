// From the configuration to the options of the parts. Pure.
#pragma once

#include <vector>

#include "audio/source.h"
#include "daemon/config.h"
#include "daemon/dictation.h"
#include "engine/protocol.h"
#include "output/target.h"

namespace headroom::daemon {

audio::SourceOptions SourceOptionsFor(const Config& config);
/// kInvalid when the times make no sense together.
Result<DictationOptions> DictationOptionsFor(const Config& config);
/// `vocabulary`: the words of the configuration and of its file.
engine::RunRequest RequestFor(const Config& config, std::vector<std::string> vocabulary);
std::vector<output::TargetOptions> TargetOptionsFor(const Config& config);

}  // namespace headroom::daemon
