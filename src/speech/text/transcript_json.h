// The JSON form of a transcript; docs/transcript.md is its schema.
#pragma once

#include <memory>

#include "speech/text/captions.h"

namespace headroom::speech {

std::unique_ptr<TranscriptWriter> MakeJsonWriter(TextSink sink);

}  // namespace headroom::speech
