// A CTranslate2 Whisper folder as a plan for a GGUF file.
#pragma once

#include <filesystem>

#include "models/formats/ct2.h"
#include "models/formats/import_plan.h"

namespace headroom::models {

/// `folder` holds config.json and the vocabulary, and maybe precpu_config.json; `source` is
/// its model.bin and is needed again to write the plan.
Result<ImportPlan> PlanCt2Whisper(const std::filesystem::path& folder, const ByteSource& source);

}  // namespace headroom::models
