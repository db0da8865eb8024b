// Which number format a tensor has in each quantisation. The rules are those of the engine's
// quantiser (transcribe.cpp 0.4.1, tools/transcribe-quantize/policy.cpp), for the families that
// have skeletons; the tests compare them with what it writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "models/formats/gguf_types.h"

namespace headroom::models {

/// `row`: the tensor's fastest dimension. nullopt for an unknown quantisation.
std::optional<GgmlType> TypeIn(std::string_view quantisation, std::string_view tensor,
                               std::int64_t row);

/// The value of general.file_type; nullopt for an unknown quantisation.
std::optional<std::uint32_t> FileTypeOf(std::string_view quantisation);

}  // namespace headroom::models
