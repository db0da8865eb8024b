// What a failed request says about the card or the worker. Pure.
#pragma once

#include <optional>

#include "base/error.h"
#include "memory/governor.h"

namespace headroom::asr {

/// nullopt: the request itself was at fault and the worker is well. `alive`: it can be asked again.
/// A worker that died is told by its last words: drivers have no other way to say it.
std::optional<memory::Failure> FailureOf(const Error& error, bool alive);

}  // namespace headroom::asr
