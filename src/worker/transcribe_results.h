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
/// The result of the session's last run, over audio of `duration`. `partial`: its status said so.
engine::RunResult Collect(const transcribe_session& session, bool partial, Milliseconds duration);

}  // namespace headroom::worker
