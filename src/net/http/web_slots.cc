// The realtime sockets of the HTTP server: which of them end, and when.
#include <algorithm>

#include "net/http/web_core.h"

namespace headroom::net {

// The one without audio for the longest time, if that is since before `since`.
WebServer::RealtimeSlotOf* WebServer::Core::Quietest(MonoTime since) {
  RealtimeSlotOf* quietest = nullptr;
  for (RealtimeSlotOf* slot : seats) {
    if (!slot->may_quiet() || slot->active_at > since) continue;
    if (!quietest || slot->active_at < quietest->active_at) quietest = slot;
  }
  return quietest;
}

// Closes the one that has been quiet for longest.
bool WebServer::Core::MakeRoom() {
  RealtimeSlotOf* slot = Quietest(SystemClock().Now() - options.realtime_spare);
  if (slot) slot->Quiet("no audio came, and the place is wanted; resume the session to go on");
  return slot != nullptr;
}

// One whose token was revoked, or that is quiet for too long, does not live on.
void WebServer::Core::Sweep() {
  sweep.expires_after(options.keep_alive);
  sweep.async_wait([this](const BoostError& cancelled) {
    if (cancelled || connections.ending()) return;
    std::vector<RealtimeSlotOf*> revoked;
    std::ranges::copy_if(seats, std::back_inserter(revoked), [this](const RealtimeSlotOf* slot) {
      return !gate.Knows(slot->client());
    });
    for (RealtimeSlotOf* slot : revoked) {
      if (seats.contains(slot)) slot->End();
    }
    while (RealtimeSlotOf* slot = Quietest(SystemClock().Now() - options.realtime_quiet))
      slot->Quiet("no audio came for too long; resume the session to go on");
    Sweep();
  });
}

void WebServer::Core::Drain(bool on) {
  draining = on;
  if (!on) return;
  for (RealtimeSlotOf* slot : std::vector(seats.begin(), seats.end())) {
    if (seats.contains(slot)) slot->Drain();
  }
}

void WebServer::Core::OnEnd() {
  sweep.cancel();
  for (RealtimeSlotOf* slot : std::vector(seats.begin(), seats.end())) {
    if (seats.contains(slot)) slot->End();
  }
}

}  // namespace headroom::net
