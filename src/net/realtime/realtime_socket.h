// The realtime WebSocket on a connection that came to the HTTP server.
#pragma once

#include <memory>

#include "net/realtime/realtime_slot.h"
#include "net/server/byte_stream.h"
#include "net/server/http_exchange.h"
#include "net/server/speech_service.h"

namespace headroom::net {

/// Takes over a connection whose request asks for a WebSocket on /v1/realtime and has passed every
/// check (token, Host, Origin). Nothing after the request has been read. Called on the server's
/// thread, which is the only one that runs the stream's executor; must not block. A token that a
/// browser sent came as the subprotocol "openai-insecure-api-key.TOKEN" beside "realtime": answer
/// "realtime".
void ServeRealtime(ByteStream&& stream, const HttpHead& head, SpeechService& service,
                   std::unique_ptr<RealtimeSlot> slot);

}  // namespace headroom::net
