#pragma once

namespace headroom::asr {

/// While the first worker is being loaded: the first utterances wait for it, or a small tier on
/// the CPU decodes them.
enum class WhenCold { kWait, kFast };

}  // namespace headroom::asr
