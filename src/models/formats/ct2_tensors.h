// Whisper's weights in CTranslate2's naming, as the tensors that the engine wants.
#pragma once

#include <cstdint>
#include <vector>

#include "models/formats/ct2.h"
#include "models/formats/import_plan.h"

namespace headroom::models {

struct WhisperShape {
  std::int64_t width = 0;  // d_model
  std::int64_t mels = 0, audio_positions = 0, text_positions = 0, vocabulary = 0;
  std::int64_t encoder_layers = 0, encoder_heads = 0, encoder_ffn = 0;
  std::int64_t decoder_layers = 0, decoder_heads = 0, decoder_ffn = 0;
};

struct Ct2Tensors {
  WhisperShape shape;
  std::vector<PlannedTensor> tensors;
  std::uint32_t file_type = 0;  // general.file_type: 0 F32, 1 F16, 32 BF16
};

/// Every weight is used exactly once; one that is missing, left over or of another shape is an
/// error. Reads the scales and the key biases from `source`.
Result<Ct2Tensors> PlanCt2Tensors(const Ct2Model& model, const ByteSource& source);

}  // namespace headroom::models
