// A daemon's status as a person, a bar or a line shows it. Pure.
#pragma once

#include <string>

#include "net/control/status.h"

namespace headroom::cli {

/// Several lines.
std::string StatusText(const net::Status& status);

/// One short line: "speech  whisper-base:Q8_0 on cpu  RAM 250.0 MiB  and then he said".
std::string StatusLine(const net::Status& status);

/// One line for waybar's custom module: {"text", "alt", "class", "tooltip"}; nullptr: no daemon.
std::string WaybarLine(const net::Status* status);

}  // namespace headroom::cli
