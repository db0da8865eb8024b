// Messages between two processes, with open descriptors beside their bytes. Nothing else knows
// SCM_RIGHTS (unix(7)). The sockets are of type SOCK_SEQPACKET, which keeps message boundaries:
// one send is one receive.
//
// A process that is gone is kWorkerLost. What is received is closed on exec and owned, also when
// the call fails. Any thread may call.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace headroom {

inline constexpr std::size_t kMaxPassed = 4;  // descriptors with one message

/// Two connected ends, both closed on exec.
struct MessageSockets {
  Fd ours, theirs;
};
Result<MessageSockets> MakeMessageSockets();

/// `bytes` are at least one: an empty message looks like the end. The other process gets
/// descriptors of what `fds` are, at most kMaxPassed. False: it has too much unread, try later.
Result<bool> TrySendMessage(int socket, std::span<const std::byte> bytes, std::span<const int> fds);

struct PassedMessage {
  std::size_t size = 0;  // bytes
  std::vector<Fd> fds;
};
/// The next message if one is waiting, its bytes at the front of `into`. kProtocol when it does not
/// fit there, or brings more descriptors than kMaxPassed or than this process may open.
Result<std::optional<PassedMessage>> TryReceiveMessage(int socket, std::span<std::byte> into);

/// A message that is one descriptor of what `fd` is; waits while the socket is full.
Result<> SendFd(int socket, int fd);
/// Waits for one; kProtocol for any other message.
Result<Fd> ReceiveFd(int socket);

}  // namespace headroom
