// The realtime sockets of the HTTP server: which of them end, and when.
#include <algorithm>

#include "net/http/web_core.h"

namespace headroom::net {

// The one without audio for the longest time, if that is since before `since`.
WebServer::SeatOf* WebServer::Core::Quietest(MonoTime since) {
  SeatOf* quietest = nullptr;
  for (SeatOf* seat : seats) {
    if (!seat->may_quiet() || seat->active_at > since) continue;
    if (!quietest || seat->active_at < quietest->active_at) quietest = seat;
  }
  return quietest;
}

// Closes the one that has been quiet for longest.
bool WebServer::Core::MakeRoom() {
  SeatOf* seat = Quietest(SystemClock().Now() - options.realtime_spare);
  if (seat) seat->Quiet("no audio came, and the place is wanted; resume the session to go on");
  return seat != nullptr;
}

// One whose token was revoked, or that is quiet for too long, does not live on.
void WebServer::Core::Sweep() {
  sweep.expires_after(options.keep_alive);
  sweep.async_wait([this](const BoostError& cancelled) {
    if (cancelled || reception.ending()) return;
    std::vector<SeatOf*> revoked;
    std::ranges::copy_if(seats, std::back_inserter(revoked),
                         [this](const SeatOf* seat) { return !gate.Knows(seat->client()); });
    for (SeatOf* seat : revoked) {
      if (seats.contains(seat)) seat->End();
    }
    while (SeatOf* seat = Quietest(SystemClock().Now() - options.realtime_quiet))
      seat->Quiet("no audio came for too long; resume the session to go on");
    Sweep();
  });
}

void WebServer::Core::Drain(bool on) {
  draining = on;
  if (!on) return;
  for (SeatOf* seat : std::vector(seats.begin(), seats.end())) {
    if (seats.contains(seat)) seat->Drain();
  }
}

void WebServer::Core::OnEnd() {
  sweep.cancel();
  for (SeatOf* seat : std::vector(seats.begin(), seats.end())) {
    if (seats.contains(seat)) seat->End();
  }
}

}  // namespace headroom::net
