// Silero VAD, the 16 kHz model, from its .safetensors as a plan for a GGUF file.
#pragma once

#include "models/formats/import_plan.h"

namespace headroom::models {

/// kUnsupported for a .safetensors of anything else.
Result<ImportPlan> PlanSilero(const ByteSource& source);

}  // namespace headroom::models
