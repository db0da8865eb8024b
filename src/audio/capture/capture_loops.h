// The capture loops behind MakeSource (audio/capture.h); one file for each.
#pragma once

#include "audio/capture/capture.h"
#include "audio/capture/source.h"

namespace headroom::audio {

/// Plays files one after the other, in real time or as fast as possible.
Result<> CaptureFiles(const SourceOptions& options, Capture& capture);
Result<> CaptureStdin(const SourceOptions& options, Capture& capture);

/// PulseAudio's protocol. Recovers by itself and returns only when stop() is raised.
Result<> CapturePulse(const SourceOptions& options, Capture& capture);
/// alsa-lib. Recovers by itself and returns only when stop() is raised.
Result<> CaptureAlsa(const SourceOptions& options, Capture& capture);

}  // namespace headroom::audio
