// One of the few files with Beast in them: they take most of a minute to compile.
#include "net/realtime/realtime_socket.h"

#include <poll.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <charconv>
#include <deque>
#include <random>

#include "net/realtime/realtime.h"

namespace headroom::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using ErrorCode = boost::system::error_code;
using Code = websocket::close_code;
using RealtimeRequest = beast::http::request<beast::http::empty_body>;

constexpr headroom::Bytes kLongestMessage =
    MiB(20) + KiB(64);                             // base64 of kMostAudio, and its event
constexpr headroom::Bytes kBytesWaiting = MiB(1);  // of events for a client that does not read
constexpr std::size_t kKeptBuffer = 256 * 1024;
constexpr Milliseconds kTick{15'000};      // between two pings
constexpr int kSilentTicks = 3;            // without a sign of life
constexpr Milliseconds kAgain{50};         // until audio is offered again to a busy service
constexpr Milliseconds kGoodbye{10'000};   // for the client to read what waits and to answer
constexpr Milliseconds kLastGoodbye{400};  // the same when the server ends
constexpr std::string_view kProtocol = "realtime";
constexpr std::string_view kBetaProtocol = "openai-beta.realtime-v1";

std::string Nonce() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

bool Offers(const RealtimeRequest& request, std::string_view protocol) {
  return beast::http::token_list(request[beast::http::field::sec_websocket_protocol])
      .exists({protocol.data(), protocol.size()});
}

bool AsksForBeta(const RealtimeRequest& request) {
  const auto header = request["OpenAI-Beta"];
  return std::string_view(header.data(), header.size()).find("realtime=v1") !=
             std::string_view::npos ||
         Offers(request, kBetaProtocol);
}

RealtimeRequest RequestOf(const HttpHead& head) {
  RealtimeRequest request;
  request.method_string(beast::string_view(head.method.data(), head.method.size()));
  request.target(beast::string_view(head.target.data(), head.target.size()));
  request.version(11);
  for (const auto& [name, value] : head.fields)
    request.insert(beast::string_view(name.data(), name.size()),
                   beast::string_view(value.data(), value.size()));
  return request;
}

// Owned by its handlers, of which there is always one until the connection is closed.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(ByteStream&& stream, RealtimeRequest&& request, SpeechService& service,
         std::unique_ptr<RealtimeSlot> slot)
      : request_(std::move(request)),
        service_(service),
        slot_(std::move(slot)),
        ws_(std::move(stream)),
        tick_(ws_.get_executor()),
        again_(ws_.get_executor()),
        deadline_(ws_.get_executor()) {}

  void Begin() {
    slot_->on_end = [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->Close(Code::going_away, "closed by the server", kLastGoodbye);
    };
    slot_->on_drain = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->BeginDrain();
    };
    slot_->on_quiet = [weak = weak_from_this()](const char* why) {
      if (const auto self = weak.lock()) self->Close(Code::going_away, why, kLastGoodbye);
    };
    Limit(kGoodbye);
    ws_.read_message_max(static_cast<std::size_t>(kLongestMessage.n));
    ws_.text(true);
    ws_.auto_fragment(false);
    ws_.control_callback([this](websocket::frame_type kind, beast::string_view payload) {
      if (kind == websocket::frame_type::pong) OnPong({payload.data(), payload.size()});
    });
    if (Offers(request_, kProtocol)) {
      ws_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
        response.set(beast::http::field::sec_websocket_protocol,
                     beast::string_view(kProtocol.data(), kProtocol.size()));
      }));
    }
    ws_.async_accept(request_, [self = shared_from_this()](const ErrorCode& failed) {
      if (failed) return self->Drop();
      if (!self->closing_) self->OnAccepted();
    });
  }

 private:
  void OnAccepted() {
    deadline_.cancel();
    const auto target = request_.target();
    auto connect = ParseRealtimeConnect({target.data(), target.size()}, AsksForBeta(request_));
    const std::optional<Error> misread =
        connect ? std::nullopt : std::optional<Error>(connect.error());
    session_ = std::make_unique<RealtimeSession>(
        connect ? *std::move(connect) : RealtimeConnect{}, Nonce(),
        [this](std::string event) { Send(std::move(event)); });
    if (misread) return Refuse(*misread);
    // Events come on threads of the service, and perhaps after this object is gone.
    auto stream = service_.OpenStream(
        session_->Opening(),
        [executor = ws_.get_executor(), weak = weak_from_this()](const StreamEvent& event) {
          asio::post(executor, [weak, event] {
            const auto self = weak.lock();
            if (!self || !self->session_) return;
            self->slot_->active_at = SystemClock().Now();
            self->session_->OnEvent(event);
          });
        });
    if (!stream) return Refuse(stream.error());
    session_->Begin(*std::move(stream));
    if (draining_) BeginDrain();
    Tick();
    Read();
  }

  void Refuse(const Error& error) {
    session_->Refuse(error);
    const bool later = error.code == Errc::kBusy || error.code == Errc::kNoMemory;
    Read();  // so that the client's half of the farewell is seen
    Close(later ? Code::try_again_later : Code::policy_error, "the session was refused", kGoodbye);
  }

  // ---- in ----

  void Read() {
    reading_ = true;
    ws_.async_read(buffer_, [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
      self->reading_ = false;
      self->OnRead(failed);
    });
  }

  void OnRead(const ErrorCode& failed) {
    silent_ticks_ = 0;
    if (failed) return OnGone(failed);
    if (!session_) {  // a farewell is under way
      buffer_.clear();
      return Read();
    }
    const auto bytes = buffer_.data();
    if (ws_.got_text())
      session_->OnText({static_cast<const char*>(bytes.data()), bytes.size()});
    else
      session_->OnBinary({static_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    buffer_.clear();
    if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
    Next();
  }

  // Reads on, unless audio waits to be taken: a client that sends faster than it is served is held
  // up by its own connection.
  void Next() {
    if (!session_) return Read();
    if (const auto audio = session_->samples(); audio != samples_) {
      samples_ = audio;
      slot_->active_at = SystemClock().Now();
    }
    switch (session_->waits()) {
      case RealtimeSession::Wait::kNone:
        return Read();
      case RealtimeSession::Wait::kSoon:
        return asio::post(ws_.get_executor(), [self = shared_from_this()] { self->Continue(); });
      case RealtimeSession::Wait::kLater:
        if (HasLeft()) return Drop();
        again_.expires_after(kAgain);
        again_.async_wait([self = shared_from_this()](const ErrorCode&) { self->Continue(); });
    }
  }

  // Whether the other end is closed, which only this notices while nothing is read.
  bool HasLeft() {
    pollfd socket{ws_.next_layer().socket(), POLLRDHUP, 0};
    return ::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  }

  void Continue() {
    if (gone_) return;
    if (session_) session_->Continue();
    Next();
  }

  void OnGone(const ErrorCode& failed) {
    const auto code = static_cast<Code>(ws_.reason().code);
    if (session_ && failed == websocket::error::closed &&
        (code == Code::normal || code == Code::none))
      session_->Forget();
    if (gone_) return;
    closing_ = true;
    session_.reset();
    if (!farewell_) Limit(kGoodbye);
    Linger();
  }

  // Events come on a thread of the service.
  void BeginDrain() {
    draining_ = true;
    if (!session_ || !session_->begun()) return;
    session_->Drain([executor = ws_.get_executor(), weak = weak_from_this()] {
      asio::post(executor, [weak] {
        if (const auto self = weak.lock())
          self->Close(Code::try_again_later, "the service is being drained", kGoodbye);
      });
    });
  }

  // Until the client has closed its end too.
  void Linger() {
    buffer_.clear();
    ws_.next_layer().async_read_some(
        buffer_.prepare(kKeptBuffer),
        [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
          failed || self->gone_ ? self->Drop() : self->Linger();
        });
  }

  // ---- out ----

  // Called by the session, which must outlive the call.
  void Send(std::string event) {
    if (closing_ || gone_) return;
    waiting_ += event.size();
    queue_.push_back(std::move(event));
    if (std::cmp_greater(waiting_, kBytesWaiting.n) && queue_.size() > 1) {
      queue_.erase(queue_.begin() + (writing_ ? 1 : 0), queue_.end());
      asio::post(ws_.get_executor(), [self = shared_from_this()] { self->CloseSlowReader(); });
      closing_ = true;
      return;
    }
    if (!writing_) Write();
  }

  void Write() {
    writing_ = true;
    ws_.async_write(asio::buffer(queue_.front()),
                    [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
                      self->OnWritten(failed);
                    });
  }

  void OnWritten(const ErrorCode& failed) {
    writing_ = false;
    stuck_ticks_ = 0;
    if (failed || gone_) return Drop();
    waiting_ -= queue_.front().size();
    queue_.pop_front();
    if (!queue_.empty()) return Write();
    if (farewell_) return SayFarewell();
    if (session_ && session_->last_ended() > pinged_) Ping();
  }

  // ---- time ----

  void Tick() {
    tick_.expires_after(kTick);
    tick_.async_wait([self = shared_from_this()](const ErrorCode& cancelled) {
      if (!cancelled && !self->closing_ && !self->gone_) self->OnTick();
    });
  }

  void OnTick() {
    if (buffer_.size() != seen_) silent_ticks_ = 0;
    seen_ = buffer_.size();
    if (reading_ && ++silent_ticks_ > kSilentTicks) return Drop();
    if (writing_ && ++stuck_ticks_ > kSilentTicks) return CloseSlowReader();
    Ping();
    Tick();
  }

  // A ping says which items had been sent when it left; the pong says that the client has them.
  void Ping() {
    if (pinging_ || !session_) return;
    pinging_ = true;
    const std::uint64_t sent = queue_.empty() ? session_->last_ended() : 0;
    const std::string number = std::to_string(sent);
    ws_.async_ping(websocket::ping_data(beast::string_view(number.data(), number.size())),
                   [self = shared_from_this()](const ErrorCode&) { self->pinging_ = false; });
    pinged_ = std::max(pinged_, sent);
  }

  void OnPong(std::string_view payload) {
    silent_ticks_ = 0;
    std::uint64_t item = 0;
    const auto [end, err] = std::from_chars(payload.data(), payload.data() + payload.size(), item);
    if (err == std::errc() && end == payload.data() + payload.size() && item <= pinged_ && session_)
      session_->OnDelivered(item);
  }

  // ---- the end ----

  // Sends what waits and a close frame; waits for at most `within`. Whatever the
  // session holds is given back at once.
  void Close(Code code, const char* reason, Milliseconds within) {
    if (gone_ || farewell_) {
      if (farewell_) Limit(within);
      return;
    }
    closing_ = true;
    farewell_.emplace(code, reason);
    session_.reset();
    tick_.cancel();
    Limit(within);
    if (!writing_) SayFarewell();
  }

  void CloseSlowReader() {
    slot_->OnSlowReader();
    Close(Code::policy_error, "the client does not read", kGoodbye);
  }

  void Limit(Milliseconds within) {
    deadline_.expires_after(within);
    deadline_.async_wait([self = shared_from_this()](const ErrorCode& cancelled) {
      if (!cancelled) self->Drop();
    });
  }

  void SayFarewell() {
    if (!ws_.is_open()) return Drop();
    ws_.async_close(*farewell_, [self = shared_from_this()](const ErrorCode&) { self->Drop(); });
  }

  void Drop() {
    gone_ = closing_ = true;
    session_.reset();
    tick_.cancel();
    again_.cancel();
    deadline_.cancel();
    ws_.next_layer().Close();
  }

  RealtimeRequest request_;
  SpeechService& service_;
  const std::unique_ptr<RealtimeSlot> slot_;
  websocket::stream<ByteStream, false> ws_;
  asio::steady_timer tick_, again_, deadline_;
  std::unique_ptr<RealtimeSession> session_;  // none: not yet, or no more

  beast::flat_buffer buffer_;
  std::deque<std::string> queue_;  // of events; while writing_, the first is on its way
  std::size_t waiting_ = 0;        // bytes in queue_
  bool reading_ = false, writing_ = false, pinging_ = false;
  std::size_t seen_ = 0;  // bytes of an unfinished message at the last tick
  int silent_ticks_ = 0, stuck_ticks_ = 0;
  std::uint64_t pinged_ = 0;   // the newest item that a ping has named
  std::uint64_t samples_ = 0;  // that the session had after the last message

  bool draining_ = false;
  bool closing_ = false;  // no more events
  bool gone_ = false;     // the connection is closed
  std::optional<websocket::close_reason> farewell_;
};

}  // namespace

void ServeRealtime(ByteStream&& stream, const HttpHead& head, SpeechService& service,
                   std::unique_ptr<RealtimeSlot> slot) {
  std::make_shared<Socket>(std::move(stream), RequestOf(head), service, std::move(slot))->Begin();
}

}  // namespace headroom::net
