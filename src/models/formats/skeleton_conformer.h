// NeMo's FastConformer encoder with its log-mel front end, as Canary and Parakeet have it: 8 heads,
// a convolution of 9, eight frames made one by three strided convolutions of 256 channels.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/formats/skeleton_parts.h"

namespace headroom::models {

struct Conformer {
  std::int64_t layers = 0, width = 0, mels = 0;
  bool bias = true;     // on every linear layer and convolution of the blocks
  bool causal = false;  // looks back only: padded on one side, layer norm in the convolutions
};

/// `at`: "stt.canary.encoder."
void SetConformerKeys(std::string_view at, const Conformer& encoder, GgufKeys& keys);
void SetConformerFrontend(std::int64_t mels, std::string_view normalize, GgufKeys& keys);
void AddConformer(const Conformer& encoder, SkeletonParts& parts);

}  // namespace headroom::models
