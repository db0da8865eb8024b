// The realtime sockets of the HTTP server: which of them end, and when.
#include <algorithm>

#include "net/http/web_core.h"

namespace headroom::net {

// The one without audio for the longest time, if that is since before `since`.
WebRealtimeSlot* WebCore::Quietest(MonoTime since) {
  WebRealtimeSlot* quietest = nullptr;
  for (WebRealtimeSlot* slot : slots) {
    if (!slot->may_quiet() || slot->active_at > since) continue;
    if (!quietest || slot->active_at < quietest->active_at) quietest = slot;
  }
  return quietest;
}

// Closes the one that has been quiet for longest.
bool WebCore::MakeRoom() {
  WebRealtimeSlot* slot = Quietest(SystemClock().Now() - options.realtime_spare);
  if (slot) slot->Quiet("no audio came, and the place is wanted; resume the session to go on");
  return slot != nullptr;
}

// One whose token was revoked, or that is quiet for too long, does not live on.
void WebCore::Sweep() {
  sweep.expires_after(options.keep_alive);
  sweep.async_wait([this](const BoostError& cancelled) {
    if (cancelled || connections.ending()) return;
    std::vector<WebRealtimeSlot*> revoked;
    std::ranges::copy_if(slots, std::back_inserter(revoked), [this](const WebRealtimeSlot* slot) {
      return !gate.Knows(slot->client());
    });
    for (WebRealtimeSlot* slot : revoked) {
      if (slots.contains(slot)) slot->End();
    }
    while (WebRealtimeSlot* slot = Quietest(SystemClock().Now() - options.realtime_quiet))
      slot->Quiet("no audio came for too long; resume the session to go on");
    Sweep();
  });
}

void WebCore::Drain(bool on) {
  draining = on;
  if (!on) return;
  for (WebRealtimeSlot* slot : std::vector(slots.begin(), slots.end())) {
    if (slots.contains(slot)) slot->Drain();
  }
}

void WebCore::OnEnd() {
  sweep.cancel();
  for (WebRealtimeSlot* slot : std::vector(slots.begin(), slots.end())) {
    if (slots.contains(slot)) slot->End();
  }
}

}  // namespace headroom::net
