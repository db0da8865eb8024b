// An open descriptor given to another process over a Unix socket (SCM_RIGHTS).
#pragma once

#include "base/error.h"
#include "base/fd.h"

namespace headroom {

/// The other end gets a descriptor of what `fd` is. kWorkerLost: nobody is there.
Result<> SendFd(int socket, int fd);
/// Waits for one, which is closed on exec. kWorkerLost: the other end went instead.
Result<Fd> ReceiveFd(int socket);

}  // namespace headroom
