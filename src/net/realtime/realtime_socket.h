// The door from the HTTP server to the realtime WebSocket. Only for the two files that speak Beast.
#pragma once

#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <memory>

#include "net/realtime/realtime_slot.h"
#include "net/server/speech_service.h"

namespace headroom::net {

/// Takes over a connection whose request asks for a WebSocket on /v1/realtime and has passed every
/// check (token, Host, Origin). Nothing after the request has been read. Called on the server's
/// thread, which is the only one that runs the stream's executor; must not block. A token that a
/// browser sent came as the subprotocol "openai-insecure-api-key.TOKEN" beside "realtime": answer
/// "realtime".
using RealtimeRequest = boost::beast::http::request<boost::beast::http::empty_body>;
void ServeRealtime(boost::beast::tcp_stream&& stream, RealtimeRequest&& request,
                   SpeechService& service, std::unique_ptr<RealtimeSlot> slot);

}  // namespace headroom::net
