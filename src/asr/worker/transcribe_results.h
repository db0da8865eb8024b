// What transcribe.cpp says, in our types.
#pragma once

#include <transcribe.h>

#include <string>

#include "asr/client/protocol.h"

namespace headroom::worker {

/// Trimmed, printable; "" for a null pointer.
std::string TextOf(const char* text);
/// kUnsupported for a model that does not recognise speech.
Result<asr::ModelTraits> Describe(const transcribe_model& model);
/// The result of clip `i` of the session's last run, over audio of `duration`; a run without a
/// batch has clip 0. `partial`: its status said so.
asr::RunResult Collect(const transcribe_session& session, int i, bool partial,
                       Milliseconds duration);

/// Encoder windows that the last run computed; 0 for models that are not Whisper.
int WindowsComputed(const transcribe_session& session);
/// Of the last run, one clip of `duration`: Whisper's own numbers, or more text than can be said in
/// that time, make it likely that it went wrong. Other models are never in doubt.
bool IsDoubtful(const transcribe_session& session, Milliseconds duration);

}  // namespace headroom::worker
