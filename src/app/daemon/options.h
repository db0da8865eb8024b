// From the configuration to the options of the parts. Pure.
#pragma once

#include <vector>

#include "app/config/config.h"
#include "app/dictation/dictation.h"
#include "app/output/target.h"
#include "asr/client/protocol.h"
#include "audio/capture/source.h"

namespace headroom::app {

audio::SourceOptions SourceOptionsFor(const Config& config);
/// kInvalid when the times make no sense together.
Result<DictationOptions> DictationOptionsFor(const Config& config);
/// `vocabulary`: the words of the configuration and of its file.
speech::RecognitionOptions RequestFor(const Config& config, std::vector<std::string> vocabulary);

}  // namespace headroom::app
