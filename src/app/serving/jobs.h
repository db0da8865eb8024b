// A recording that a client sent: decoded outside of this process, cut at pauses, and recognised
// chunk by chunk between other clients' speech. One thread for each.
#pragma once

#include <functional>
#include <memory>

#include "asr/client/protocol.h"
#include "asr/scheduler/scheduler.h"
#include "audio/decode/waiting_decoder.h"
#include "net/server/speech_service.h"
#include "speech/vad/vad.h"

namespace headroom::app {

using DetectorMaker = std::function<Result<std::unique_ptr<speech::SpeechProbability>>()>;

/// Begins immediately. `scheduler` and `decoder`, of which it takes the one that waits and leaves
/// another, must outlive the job. kNoMemory when there is no thread for it.
Result<std::unique_ptr<net::TranscriptionJob>> StartJob(asr::Scheduler& scheduler,
                                                        audio::WaitingDecoder& decoder,
                                                        DetectorMaker make_detector, Fd recording,
                                                        speech::RecognitionOptions options,
                                                        net::JobEvents events);

}  // namespace headroom::app
