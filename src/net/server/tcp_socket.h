// A listening TCP socket, and what is set on those it accepts.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/fd.h"
#include "net/server/address.h"

namespace headroom::net {

/// Non-blocking. kBusy: another program has the port; kNetwork: not an address of this machine, or
/// anything else the system has against it.
Result<Fd> ListenTcp(const ListenAddress& at, int backlog = 4096);

/// What it is bound to; 0: nothing.
std::uint16_t PortOf(int socket);
/// Who is at the other end.
Result<IpAddress> AddressOfPeer(int socket);

/// What is written leaves at once, and a machine that was switched off is noticed in a minute, also
/// while nothing is sent to it.
void SetUpPeer(int socket);

}  // namespace headroom::net
