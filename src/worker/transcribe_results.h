// What transcribe.cpp says, in our types.
#pragma once

#include <transcribe.h>

#include <string>

#include "engine/protocol.h"

namespace headroom::worker {

Errc CodeOf(transcribe_status status);
/// Trimmed, printable; "" for a null pointer.
std::string TextOf(const char* text);
/// kUnsupported for a model that does not recognise speech.
Result<engine::ModelTraits> Describe(const transcribe_model& model);
/// The result of clip `i` of the session's last run, over audio of `duration`; a run without a
/// batch has clip 0. `partial`: its status said so.
engine::RunResult Collect(const transcribe_session& session, int i, bool partial,
                          Milliseconds duration);

}  // namespace headroom::worker
