#include "net/server/tcp_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace headroom::net {
namespace {

constexpr int kQuietSeconds = 30, kProbeSeconds = 10, kProbes = 3;

// IpAddress keeps an IPv4 address in its last four bytes.
constexpr std::size_t kV4At = 12;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress ToSystem(const ListenAddress& at) {
  SocketAddress result;
  if (at.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(at.port);
    std::memcpy(&v4.sin_addr, at.address.bytes.data() + kV4At, sizeof(v4.sin_addr));
    std::memcpy(&result.storage, &v4, result.size = sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(at.port);
    std::memcpy(&v6.sin6_addr, at.address.bytes.data(), sizeof(v6.sin6_addr));
    std::memcpy(&result.storage, &v6, result.size = sizeof(v6));
  }
  return result;
}

Result<ListenAddress> FromSystem(const SocketAddress& from) {
  ListenAddress at;
  if (from.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from.storage, sizeof(v4));
    at.address.bytes[10] = at.address.bytes[11] = 0xff;
    std::memcpy(at.address.bytes.data() + kV4At, &v4.sin_addr, sizeof(v4.sin_addr));
    at.port = ntohs(v4.sin_port);
  } else if (from.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from.storage, sizeof(v6));
    std::memcpy(at.address.bytes.data(), &v6.sin6_addr, sizeof(v6.sin6_addr));
    at.port = ntohs(v6.sin6_port);
  } else {
    return Fail(Errc::kInternal, "not a socket of the network");
  }
  return at;
}

void Set(int socket, int level, int name, int value) {
  static_cast<void>(::setsockopt(socket, level, name, &value, sizeof(value)));
}

}  // namespace

Result<Fd> ListenTcp(const ListenAddress& at, int backlog) {
  SocketAddress address = ToSystem(at);
  const int family = address.storage.ss_family;
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!socket) return FailErrno(errno, "socket");
  Set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) Set(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);  // :: is everything
  if (::bind(socket.get(), address.get(), address.size) == 0 &&
      ::listen(socket.get(), backlog) == 0)
    return socket;
  if (errno == EADDRINUSE) return Fail(Errc::kBusy, "another program listens there");
  return Fail(Errc::kNetwork, "{}", std::strerror(errno));
}

std::uint16_t PortOf(int socket) {
  SocketAddress address;
  if (::getsockname(socket, address.get(), &address.size) != 0) return 0;
  const auto at = FromSystem(address);
  return at ? at->port : std::uint16_t{0};
}

Result<IpAddress> AddressOfPeer(int socket) {
  SocketAddress address;
  if (::getpeername(socket, address.get(), &address.size) != 0)
    return FailErrno(errno, "getpeername");
  TRY_ASSIGN(const ListenAddress at, FromSystem(address));
  return at.address;
}

void SetUpPeer(int socket) {
  Set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kQuietSeconds);
  Set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kProbeSeconds);
  Set(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

}  // namespace headroom::net
