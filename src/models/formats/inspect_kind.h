// What a file is, by its first bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace headroom::models {

enum class FileKind { kGguf, kWhisperBin, kCt2, kSafetensors, kOther };

/// `head` holds the first bytes of a file, 512 of them if it has so many.
FileKind KindOf(std::string_view head, std::int64_t file_size);

/// Why a file of the kind kOther is no model, as one line: "an HTML page, not a model (…)".
Error DescribeOther(std::string_view head, std::int64_t file_size);

}  // namespace headroom::models
