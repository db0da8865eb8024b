// A recording that a client sent: decoded outside of this process, cut at pauses, and recognised
// chunk by chunk between everybody else's speech. One thread for each.
#pragma once

#include <functional>
#include <memory>

#include "api/speech_service.h"
#include "audio/waiting_decoder.h"
#include "daemon/switchboard.h"
#include "engine/protocol.h"
#include "speech/vad.h"

namespace headroom::daemon {

using DetectorMaker = std::function<Result<std::unique_ptr<speech::SpeechProbability>>()>;

/// Begins at once. `board` and `decoder`, of which it takes the one that waits and leaves another,
/// must outlive the job. kNoMemory when there is no thread for it.
Result<std::unique_ptr<api::TranscriptionJob>> StartJob(Switchboard& board,
                                                        audio::WaitingDecoder& decoder,
                                                        DetectorMaker make_detector, Fd recording,
                                                        engine::RunRequest request,
                                                        api::JobEvents events);

}  // namespace headroom::daemon
