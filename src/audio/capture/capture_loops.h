// The capture loops behind MakeSource (audio/capture.h); one file for each.
#pragma once

#include "audio/capture/capture.h"
#include "audio/capture/source.h"

namespace headroom::audio {

/// Files one after the other, paced or not.
Result<> CaptureFiles(const SourceOptions& options, Capture& capture);
Result<> CaptureStdin(const SourceOptions& options, Capture& capture);

/// PulseAudio's protocol. Recovers by itself and returns only when told to stop.
Result<> CapturePulse(const SourceOptions& options, Capture& capture);
/// The same through alsa-lib.
Result<> CaptureAlsa(const SourceOptions& options, Capture& capture);

}  // namespace headroom::audio
