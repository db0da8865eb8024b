// A daemon's status as a person, a bar or a line shows it. Pure.
#pragma once

#include <string>

#include "api/status.h"

namespace headroom::cli {

/// Several lines.
std::string StatusText(const api::Status& status);

/// One short line: "speech  whisper-base:Q8_0 on cpu  RAM 250.0 MiB  and then he said"
std::string StatusLine(const api::Status& status);

/// One line for waybar's custom module: {"text", "alt", "class", "tooltip"}; nullptr: no daemon.
std::string WaybarLine(const api::Status* status);

}  // namespace headroom::cli
