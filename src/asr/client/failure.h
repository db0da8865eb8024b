// What a failed request says about the GPU or the worker. Pure.
#pragma once

#include <optional>

#include "base/error.h"
#include "memory/governor.h"

namespace headroom::asr {

/// nullopt: the request itself was at fault and the worker is well. `alive`: it can be asked again.
/// The last words of a worker that died are the diagnosis: drivers report in no other way.
std::optional<memory::Failure> FailureOf(const Error& error, bool alive);

}  // namespace headroom::asr
