// TLS for the HTTP server. Only for files that speak Asio.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/error.h"
#include "net/server/byte_stream.h"

namespace headroom::net {

/// A certificate and its key; connections keep the one that they began with.
class TlsContext : public std::enable_shared_from_this<TlsContext> {
 public:
  /// TLS 1.2 or later. kInvalid: not a certificate and its key. kPermission: others may read the
  /// key.
  static Result<std::shared_ptr<TlsContext>> Make(const std::filesystem::path& certificate,
                                                  const std::filesystem::path& key);
  ~TlsContext();

  /// A connection over TLS; the handshake comes with the first read. `on_gone` is called when
  /// nothing is left of it, on the executor's thread or when that is destroyed: after Close the
  /// farewell takes a moment.
  ByteStream Open(boost::asio::ip::tcp::socket peer, std::function<void()> on_gone);

 private:
  struct Context;
  class Carrier;
  explicit TlsContext(std::unique_ptr<Context> context);
  const std::unique_ptr<Context> context_;
};

}  // namespace headroom::net
