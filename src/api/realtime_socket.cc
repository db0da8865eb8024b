#include "api/realtime_socket.h"

#include <boost/asio/write.hpp>

namespace headroom::api {

void ServeRealtime(boost::beast::tcp_stream&& stream, RealtimeRequest&&, SpeechService&,
                   std::unique_ptr<Seat> seat) {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  struct Open {
    boost::beast::tcp_stream stream;
    std::unique_ptr<Seat> seat;
  };
  const auto open = std::make_shared<Open>(Open{std::move(stream), std::move(seat)});
  open->seat->on_end = [weak = std::weak_ptr(open)] {
    if (const auto self = weak.lock()) self->stream.close();
  };
  open->stream.expires_after(std::chrono::seconds(5));
  boost::asio::async_write(open->stream, boost::asio::buffer(kAnswer),
                           [open](const boost::system::error_code&, std::size_t) {});
}

}  // namespace headroom::api
