// A connection to a server under test that sends what the test gives it and nothing else.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/testing/eventually.h"

namespace headroom::net {

constexpr int kGenerous = 20'000;  // ms; only reached when something is broken

class RawClient {
 public:
  /// To this machine's port; `receive_buffer`: bytes, 0 for the system's choice.
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : fd_(Socket(AF_INET)) {
    if (receive_buffer > 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Connect(address);
  }
  explicit RawClient(const std::filesystem::path& path) : fd_(Socket(AF_UNIX)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    Connect(address);
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  /// False when the other side is gone, or has not taken it for `patience` milliseconds.
  bool Send(std::string_view text, int patience = kGenerous) const {
    while (!text.empty()) {
      pollfd ready{fd_.get(), POLLOUT, 0};
      if (::poll(&ready, 1, patience) != 1) return false;
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// What comes next; "" when the other side has closed or nothing comes.
  std::string ReceiveSome() const {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kGenerous) != 1) return "";
    char bytes[4096];
    const ssize_t count = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
    return {bytes, count > 0 ? static_cast<std::size_t>(count) : 0};
  }
  /// Until the other side closes, or `enough` is in it.
  std::string Receive(std::string_view enough = "\x01never\x01") const {
    std::string all;
    while (all.find(enough) == std::string::npos) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, kGenerous) != 1) return all + "<nothing came>";
      const std::string more = ReceiveSome();
      if (more.empty()) break;
      all += more;
    }
    return all;
  }
  bool Closed() const {
    pollfd ready{fd_.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&ready, 1, kGenerous) == 1 && ::recv(fd_.get(), &byte, 1, 0) <= 0;
  }
  void HangUp() { fd_.Reset(); }
  /// Even what was sent is taken back.
  void Reset() {
    const linger none{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    fd_.Reset();
  }

 private:
  static int Socket(int family) { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  template <class Address>
  void Connect(const Address& address) {
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  Fd fd_;
  bool connected_ = false;
};

/// Whether `condition` becomes true in time.
template <class Condition>
bool Soon(Condition condition) {
  return Eventually(condition, Milliseconds(kGenerous));
}

}  // namespace headroom::net
