// A recording that a client sends, from the first byte of its form to the last of its text.
#pragma once

#include "base/clock.h"
#include "net/server/http_exchange.h"

namespace headroom::net {

struct WebCore;

/// Handles POST /v1/audio/transcriptions and …/translations.
void BeginUpload(Exchange& exchange, WebCore& core, bool translate, Milliseconds waited = {});

}  // namespace headroom::net
