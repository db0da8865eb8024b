// TLS in front of the HTTP server: each connection is deciphered into a pair of local sockets, so
// that everything behind speaks plain text and is there once. Only for files that speak Beast.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::net {

class TlsTerminator {
 public:
  /// TLS 1.2 or later. kInvalid: not a certificate and its key. kPermission: others may read the
  /// key.
  static Result<std::unique_ptr<TlsTerminator>> Make(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key,
                                                     Milliseconds write_time);
  ~TlsTerminator();

  /// The plain side of a connection; closing it closes the connection, after what was written has
  /// gone out or `write_time` has passed. Holds at most 16 KiB for either direction. A handshake
  /// has no time limit of its own: whoever reads the plain side has one. `on_gone` comes when
  /// nothing is left of the connection, on the executor's thread, or from its destruction.
  Result<boost::asio::ip::tcp::socket> Open(boost::asio::ip::tcp::socket peer,
                                            std::function<void()> on_gone);

 private:
  struct Context;
  class Relay;
  TlsTerminator(std::unique_ptr<Context> context, Milliseconds write_time);
  const std::unique_ptr<Context> context_;
  const Milliseconds write_time_;
};

}  // namespace headroom::net
