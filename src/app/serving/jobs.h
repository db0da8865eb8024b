// A recording that a client sent: decoded outside of this process, cut at pauses, and recognised
// chunk by chunk between everybody else's speech. One thread for each.
#pragma once

#include <functional>
#include <memory>

#include "asr/client/protocol.h"
#include "asr/scheduler/switchboard.h"
#include "audio/decode/waiting_decoder.h"
#include "net/server/speech_service.h"
#include "speech/vad/vad.h"

namespace headroom::app {

using DetectorMaker = std::function<Result<std::unique_ptr<speech::SpeechProbability>>()>;

/// Begins at once. `board` and `decoder`, of which it takes the one that waits and leaves another,
/// must outlive the job. kNoMemory when there is no thread for it.
Result<std::unique_ptr<net::TranscriptionJob>> StartJob(Switchboard& board,
                                                        audio::WaitingDecoder& decoder,
                                                        DetectorMaker make_detector, Fd recording,
                                                        asr::RunRequest request,
                                                        net::JobEvents events);

}  // namespace headroom::app
