// The keys of a Whisper GGUF, as the engine asks for them (docs/models.md).
#pragma once

#include <cstdint>

#include "models/formats/ct2_folder.h"
#include "models/formats/ct2_tensors.h"
#include "models/formats/gguf_writer.h"
#include "models/formats/tokenizer.h"

namespace headroom::models {

/// All of them, the vocabulary last. `file_type` is the value of general.file_type.
void SetWhisperKeys(GgufKeys& keys, const WhisperShape& shape, const WhisperVocabulary& vocabulary,
                    const Ct2Config& config, std::uint32_t file_type);

}  // namespace headroom::models
