#include "net/server/byte_stream.h"

namespace headroom::net {
namespace {

namespace asio = boost::asio;

template <class Socket>
class PlainCarrier final : public ByteStream::Carrier {
 public:
  explicit PlainCarrier(Socket socket) : socket_(std::move(socket)) {}

  ByteStream::executor_type executor() override { return socket_.get_executor(); }
  int socket() override { return socket_.native_handle(); }
  void Read(asio::mutable_buffer into, ByteStream::Handler handler) override {
    socket_.async_read_some(asio::buffer(into), std::move(handler));
  }
  void Write(const ByteStream::Pieces& pieces, ByteStream::Handler handler) override {
    socket_.async_write_some(pieces, std::move(handler));
  }
  void Cancel() override {
    ByteStream::ErrorCode none;
    static_cast<void>(socket_.cancel(none));
  }
  void ShutDownSend() override {
    ByteStream::ErrorCode none;
    static_cast<void>(socket_.shutdown(Socket::shutdown_send, none));
  }
  void Close() override {
    ByteStream::ErrorCode none;
    static_cast<void>(socket_.close(none));
  }
  void Abort() override { Close(); }

 private:
  Socket socket_;
};

}  // namespace

ByteStream::ByteStream(asio::ip::tcp::socket socket)
    : carrier_(std::make_shared<PlainCarrier<asio::ip::tcp::socket>>(std::move(socket))) {}

ByteStream::ByteStream(asio::local::stream_protocol::socket socket)
    : carrier_(
          std::make_shared<PlainCarrier<asio::local::stream_protocol::socket>>(std::move(socket))) {
}

}  // namespace headroom::net
