// A connection as a stream of bytes, whatever it runs over: a Unix socket, TCP, or TLS on TCP. Code
// that speaks HTTP or WebSocket over it is compiled once. Only for files that speak Asio.
//
// It satisfies Beast's AsyncStream. One read and one write may be under way at a time; time limits
// are the caller's. One thread.
#pragma once

#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <utility>

namespace boost::beast {
enum class role_type;
}

namespace headroom::net {

class ByteStream {
 public:
  using executor_type = boost::asio::any_io_executor;
  using ErrorCode = boost::system::error_code;
  using Handler = boost::asio::any_completion_handler<void(ErrorCode, std::size_t)>;

  /// A few buffers of a sequence that are written together.
  class Pieces {
   public:
    using value_type = boost::asio::const_buffer;
    using const_iterator = const boost::asio::const_buffer*;

    template <class Buffers>
    explicit Pieces(const Buffers& buffers) {
      const auto end = boost::asio::buffer_sequence_end(buffers);
      for (auto at = boost::asio::buffer_sequence_begin(buffers);
           at != end && count_ < pieces_.size(); ++at) {
        const boost::asio::const_buffer piece(*at);
        if (piece.size() > 0) pieces_[count_++] = piece;
      }
    }
    const_iterator begin() const { return pieces_.data(); }
    const_iterator end() const { return pieces_.data() + count_; }

   private:
    std::array<boost::asio::const_buffer, 8> pieces_;
    std::size_t count_ = 0;
  };

  /// What carries the bytes.
  class Carrier {
   public:
    virtual ~Carrier() = default;
    virtual executor_type executor() = 0;
    virtual int socket() = 0;
    virtual void Read(boost::asio::mutable_buffer into, Handler handler) = 0;
    virtual void Write(const Pieces& pieces, Handler handler) = 0;
    virtual void Cancel() = 0;
    virtual void ShutDownSend() = 0;
    virtual void Close() = 0;
    virtual void Abort() = 0;
  };

  explicit ByteStream(boost::asio::ip::tcp::socket socket);
  explicit ByteStream(boost::asio::local::stream_protocol::socket socket);
  explicit ByteStream(std::shared_ptr<Carrier> carrier) : carrier_(std::move(carrier)) {}

  executor_type get_executor() { return carrier_->executor(); }
  int socket() const { return carrier_->socket(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [carrier = carrier_](auto handler, const auto& into) {
          carrier->Read(First(into), Handler(std::move(handler)));
        },
        token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [carrier = carrier_](auto handler, const auto& from) {
          carrier->Write(Pieces(from), Handler(std::move(handler)));
        },
        token, buffers);
  }

  /// What is under way ends with operation_aborted; the stream may be used afterwards.
  void Cancel() { carrier_->Cancel(); }
  /// The other end sees that no more comes, and may still send. Over TLS, Close does that.
  void ShutDownSend() { carrier_->ShutDownSend(); }
  /// Over TLS the other end learns, in the background, that this is the end and not a cut.
  void Close() { carrier_->Close(); }
  /// Closes immediately, also in the middle of a write.
  void Abort() { carrier_->Abort(); }

 private:
  template <class Buffers>
  static boost::asio::mutable_buffer First(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end; ++at) {
      const boost::asio::mutable_buffer one(*at);
      if (one.size() > 0) return one;
    }
    return {};
  }

  std::shared_ptr<Carrier> carrier_;
};

// For Beast's WebSocket: the socket stays open for what the client still sends, since a reset would
// overtake the close frame and hide the reason.
inline void beast_close_socket(ByteStream& stream) {
  stream.Close();
}
template <class Handler>
void async_teardown(boost::beast::role_type, ByteStream& stream, Handler&& handler) {
  stream.ShutDownSend();
  boost::asio::post(stream.get_executor(), [handler = std::forward<Handler>(handler)]() mutable {
    std::move(handler)(ByteStream::ErrorCode());
  });
}

}  // namespace headroom::net
