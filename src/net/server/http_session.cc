// One connection of an HTTP listener: requests one after the other, each with its answer or its
// event stream. The only file besides the WebSocket's with Beast in it, which is slow to compile.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <deque>

#include "net/server/http_host.h"
#include "net/server/web_access.h"

namespace headroom::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr Milliseconds kLinger{2'000};  // for a client to see why it was refused
constexpr std::size_t kLingerPiece = 16 << 10;
constexpr std::size_t kBodyPiece = 64 << 10;
constexpr std::size_t kWatchPiece = 512;
constexpr std::size_t kMostAhead = 16 << 10;        // of requests that come before an answer
constexpr std::size_t kWritesPerSecond = 64 << 10;  // the slowest that a long answer may go out
constexpr std::size_t kMostPosted = 4096;           // events on their way to the thread
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view FromBeast(beast::string_view text) {
  return {text.data(), text.size()};
}
beast::string_view ToBeast(std::string_view text) {
  return {text.data(), text.size()};
}

// Of an error in what the client sent.
const boost::system::error_category& ParseCategory() {
  static const BoostError any = http::error::bad_method;
  return any.category();
}

class Session final : public ConnectionServer::Connection,
                      public Exchange,
                      public std::enable_shared_from_this<Session> {
 public:
  using Text = std::shared_ptr<const std::string>;

  Session(HttpHost& host, ByteStream stream)
      : Connection(host.server()),
        host_(host),
        stream_(std::move(stream)),
        deadline_(host.server().io()),
        timer_(host.server().io()),
        beat_(host.server().io()),
        rate_(host.limits.requests_per_second) {}
  ~Session() override { Session::Close(); }

  // ---- for the server ----

  bool idle() const override { return state_ == State::kHeader || state_ == State::kLingering; }
  void End() override {
    if (state_ == State::kWorking && work_) return work_->OnServerEnd();
    if (state_ != State::kWriting) Close();
  }
  void Close() override {
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    EndWork();
    NoLimit();
    stream_.Close();
  }
  void OnEvent(std::string_view name, const Text& text) {
    if (state_ == State::kWorking && work_) work_->OnEvent(name, text);
  }

  void ReadHeader() {
    state_ = State::kHeader;
    Touch();
    piece_ = {};
    continued_ = unread_ = false;
    origin.clear();
    client.clear();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(host_.limits.header.n));
    parser_->body_limit(static_cast<std::uint64_t>(host_.limits.body.n));
    Limit(host_.limits.header_time);
    if (watching_) return;  // what is being read is the next request
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](const BoostError& failed, std::size_t) {
                              self->OnHeader(self->Why(failed));
                            });
  }

  // ---- Exchange: the request ----

  std::string_view method() const override { return FromBeast(parser_->get().method_string()); }
  std::string_view target() const override { return FromBeast(parser_->get().target()); }
  std::string_view name() const override { return name_; }
  std::string_view Field(std::string_view name) const override {
    return FromBeast(parser_->get()[ToBeast(name)]);
  }
  std::size_t CountField(std::string_view name) const override {
    return parser_->get().count(ToBeast(name));
  }
  std::optional<std::uint64_t> content_length() const override {
    const auto length = parser_->content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }
  bool has_body() const override { return !parser_->is_done(); }
  int socket() const override { return stream_.socket(); }

  // ---- Exchange: work ----

  void Begin(std::unique_ptr<HttpWork> work) override {
    EndWork();
    work_ = std::move(work);
    state_ = State::kWorking;
    NoLimit();
  }

  void ReadBody(std::optional<Milliseconds> within) override {
    state_ = State::kBody;
    each_piece_ = !within;
    Limit(within ? *within : host_.limits.write_time);
    const bool asks =
        !continued_ && !parser_->is_done() && ListHas(Field("Expect"), "100-continue");
    if (!asks) return ReadPiece();
    continued_ = true;
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](const BoostError& failed, std::size_t) {
                        if (self->state_ != State::kBody) return;
                        if (failed) return self->Abort();
                        self->ReadPiece();
                      });
  }

  void WatchPeer() override {
    if (watching_) return;
    watching_ = true;
    stream_.async_read_some(
        buffer_.prepare(kWatchPiece),
        [self = shared_from_this()](const BoostError& failed, std::size_t size) {
          self->watching_ = false;
          self->buffer_.commit(size);
          self->OnWatched(self->Why(failed));
        });
  }

  void After(Milliseconds delay, std::function<void()> call) override {
    timer_.expires_after(delay);
    timer_.async_wait([self = shared_from_this(), turn = turn_,
                       call = std::move(call)](const BoostError& cancelled) {
      if (!cancelled && self->turn_ == turn) call();
    });
  }
  void CancelTimer() override { timer_.cancel(); }

  Poster MakePoster() override {
    return
        [host = host_.weak(), weak = weak_from_this(), turn = turn_](std::function<void()> call) {
          const auto alive = host.lock();
          if (!alive) return;
          asio::post(alive->server().io(), [weak, turn, call = std::move(call)] {
            const auto self = weak.lock();
            if (self && self->turn_ == turn) call();
          });
        };
  }

  // ---- Exchange: the answer ----

  void Send(HttpAnswer answer) override {
    if (state_ == State::kClosed) return;
    const bool head = parser_->get().method() == http::verb::head;
    if (has_body()) keep_ = false, unread_ = true;
    EndWork();
    state_ = State::kWriting;
    http::response<http::string_body> made;
    made.version(11);
    made.result(answer.status);
    if (!answer.type.empty()) made.set(http::field::content_type, ToBeast(answer.type));
    host_.AddFields(*this, answer.fields);
    for (const auto& [field, value] : answer.fields) made.set(ToBeast(field), ToBeast(value));
    keep_ = keep_ && !host_.server().ending();
    made.keep_alive(keep_);
    made.body() = std::move(answer.body);
    made.prepare_payload();
    const auto seconds = made.body().size() / kWritesPerSecond;
    if (head) made.body().clear();  // its length is still said
    const auto response = std::make_shared<http::response<http::string_body>>(std::move(made));
    Limit(host_.limits.write_time + std::chrono::seconds(seconds));
    http::async_write(stream_, *response,
                      [self = shared_from_this(), response](const BoostError& failed, std::size_t) {
                        self->OnWritten(self->Why(failed));
                      });
  }

  void SendUnread(HttpAnswer answer) override {
    if (state_ == State::kBody) stream_.Cancel();  // what is being read of it
    keep_ = false;
    unread_ = true;
    Send(std::move(answer));
  }

  bool Push(Text text, bool last) override {
    if (state_ == State::kClosed) return false;
    if (!std::exchange(streaming_, true)) text = WithHead(*text);
    if (last) {
      last_ = true;
      EndWork();
      state_ = State::kWriting;
    }
    queue_bytes_ += static_cast<std::int64_t>(text->size());
    if (queue_.size() >= host_.limits.events_waiting ||
        queue_bytes_ > host_.limits.bytes_waiting.n) {
      host_.CountChange([](HttpCounters& c) { ++c.slow_readers; });
      Abort();
      return false;
    }
    queue_.push_back(std::move(text));
    if (queue_.size() == 1) WriteNext();
    return true;
  }
  bool streaming() const override { return streaming_; }

  void KeepAlive() override {
    beat_.expires_after(host_.limits.keep_alive);
    beat_.async_wait([weak = weak_from_this(), turn = turn_](const BoostError& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self || self->turn_ != turn) return;
      static const auto comment = std::make_shared<const std::string>(":\n\n");
      if (self->Push(comment, false)) self->KeepAlive();
    });
  }

  std::unique_ptr<ByteStream> TakeConnection(HttpHead& head) override {
    if (buffer_.size() > 0) return nullptr;
    head = {std::string(method()), std::string(target()), {}};
    for (const auto& field : parser_->get())
      head.fields.emplace_back(FromBeast(field.name_string()), FromBeast(field.value()));
    state_ = State::kClosed;
    NoLimit();
    return std::make_unique<ByteStream>(stream_);
  }

 private:
  enum class State { kHeader, kBody, kWorking, kWriting, kLingering, kClosed };

  // ---- reading ----

  void OnHeader(const BoostError& failed) {
    if (state_ == State::kClosed) return;
    if (failed) return OnBadRead(failed);
    host_.CountChange([](HttpCounters& c) { ++c.requests; });
    keep_ = parser_->keep_alive();
    NoLimit();
    name_ = {};
    if (host_.limits.requests_per_second > 0 && !rate_.Admit(host_.limits.clock->Now())) {
      host_.CountChange([](HttpCounters& c) { ++c.refused_rate; });
      return RefuseUnread(
          {HttpRefusal::Kind::kTooManyRequests, "too many requests on one connection"});
    }
    const auto found = host_.table().Find(method(), target());
    const auto* match = std::get_if<RouteTable::Match>(&found);
    if (!host_.Admit(*this, match ? match->route : nullptr)) return;
    if (!match) return RefuseUnread(std::get<HttpRefusal>(found));
    name_ = match->name;
    match->route->handler(*this);
  }

  void OnBadRead(const BoostError& failed) {
    if (failed == beast::error::timeout) {
      host_.CountChange([](HttpCounters& c) { ++c.timed_out; });
    } else if (failed == http::error::partial_message && state_ == State::kBody) {
      host_.CountChange([](HttpCounters& c) { ++c.vanished; });
    } else if (failed != http::error::end_of_stream && failed != http::error::partial_message &&
               failed.category() == ParseCategory()) {
      host_.CountChange([](HttpCounters& c) { ++c.bad_requests; });
      HttpRefusal refusal{HttpRefusal::Kind::kMalformed, failed.message()};
      if (failed == http::error::header_limit) refusal.kind = HttpRefusal::Kind::kHeaderTooLong;
      if (failed == http::error::body_limit) refusal.kind = HttpRefusal::Kind::kBodyTooLong;
      return RefuseUnread(refusal);
    }
    Close();
  }

  void ReadPiece() {
    if (parser_->is_done()) {
      NoLimit();
      state_ = State::kWorking;
      return work_->OnBodyEnd();
    }
    auto& body = parser_->get().body();
    piece_.resize(kBodyPiece);
    buffer_.reserve(kBodyPiece);  // reads are as large as what it can hold, and 512 bytes at first
    body.data = piece_.data();
    body.size = piece_.size();
    if (each_piece_) Limit(host_.limits.body_time);
    http::async_read_some(stream_, buffer_, *parser_,
                          [self = shared_from_this()](const BoostError& failed, std::size_t) {
                            self->OnPiece(self->Why(failed));
                          });
  }

  void OnPiece(const BoostError& failed) {
    if (state_ != State::kBody) return;
    if (failed && failed != http::error::need_buffer) return OnBadRead(failed);
    work_->OnBody(std::string_view(piece_).substr(0, piece_.size() - parser_->get().body().size));
    if (state_ == State::kBody) ReadPiece();
  }

  // A request that comes before the answer to the last one waits for it. Anything that is sent to a
  // stream is ignored.
  void OnWatched(const BoostError& failed) {
    if (state_ == State::kClosed || state_ == State::kBody) return;
    if (streaming_ || state_ == State::kLingering) buffer_.clear();
    if (state_ == State::kLingering) return failed ? Close() : Linger();
    if (state_ == State::kHeader) return failed ? OnBadRead(failed) : ReadHeader();
    // A write that fails says so.
    if (state_ == State::kWriting || (timed_out_ && !queue_.empty())) return;
    if (failed || buffer_.size() > kMostAhead) {
      host_.CountChange([](HttpCounters& c) { ++c.vanished; });
      return Close();
    }
    WatchPeer();
  }

  // ---- writing ----

  void RefuseUnread(const HttpRefusal& refusal) { SendUnread(host_.AnswerFor(refusal)); }

  void OnWritten(const BoostError& failed) {
    if (state_ == State::kClosed) return;
    if (failed == beast::error::timeout) host_.CountChange([](HttpCounters& c) { ++c.timed_out; });
    if (failed) return Abort();
    if (host_.server().ending()) return Close();
    if (keep_) return ReadHeader();
    if (!unread_) return Close();
    // Closing with something unread would take the answer away from the client.
    state_ = State::kLingering;
    stream_.ShutDownSend();
    Limit(kLinger);
    buffer_.clear();
    if (!watching_) Linger();
  }

  void Linger() {
    stream_.async_read_some(buffer_.prepare(kLingerPiece),
                            [self = shared_from_this()](const BoostError& failed, std::size_t) {
                              if (self->state_ == State::kClosed) return;
                              failed ? self->Close() : self->Linger();
                            });
  }

  Text WithHead(const std::string& text) {
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    HttpFields fields{{"Connection", "close"}, {"X-Accel-Buffering", "no"}};
    host_.AddFields(*this, fields);
    for (const auto& [field, value] : fields) head += field + ": " + value + "\r\n";
    return std::make_shared<const std::string>(head + "\r\n" + text);
  }

  void WriteNext() {
    Limit(host_.limits.write_time);
    asio::async_write(
        stream_, asio::buffer(*queue_.front()),
        [self = shared_from_this(), text = queue_.front()](const BoostError& failed, std::size_t) {
          if (self->state_ == State::kClosed) return;
          if (failed) {
            const bool slow = self->timed_out_;
            self->host_.CountChange(slow ? +[](HttpCounters& c) { ++c.slow_readers; }
                                         : +[](HttpCounters& c) { ++c.vanished; });
            return self->Abort();
          }
          self->queue_.pop_front();
          self->queue_bytes_ -= static_cast<std::int64_t>(text->size());
          if (!self->queue_.empty()) return self->WriteNext();
          self->NoLimit();
          if (self->last_) self->Close();
        });
  }

  // ---- time and the end ----

  // Cuts the connection; what is under way then fails with a timeout.
  void Limit(Milliseconds within) {
    deadline_.expires_after(within);
    deadline_.async_wait([weak = weak_from_this(), limit = ++limit_](const BoostError& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self || self->state_ == State::kClosed || self->limit_ != limit) return;
      if (self->state_ == State::kLingering) return self->Close();
      self->timed_out_ = true;
      self->stream_.Abort();
    });
  }
  void NoLimit() {
    ++limit_;
    deadline_.cancel();
  }
  BoostError Why(const BoostError& failed) const {
    return failed && timed_out_ ? BoostError(beast::error::timeout) : failed;
  }

  // Its answer is on its way, or its client has gone.
  void EndWork() {
    ++turn_;
    timer_.cancel();
    beat_.cancel();
    work_.reset();
  }

  void Abort() {
    if (state_ == State::kClosed) return;
    stream_.Abort();
    Close();
  }

  HttpHost& host_;
  ByteStream stream_;
  asio::steady_timer deadline_, timer_, beat_;
  RateLimit rate_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::buffer_body>> parser_;
  State state_ = State::kHeader;
  std::string_view name_;  // in the parser's target
  std::string piece_;      // of a body; stays while a read into it may be going on
  std::unique_ptr<HttpWork> work_;
  std::uint64_t turn_ = 0;   // grows when work ends
  std::uint64_t limit_ = 0;  // grows with each time limit; an earlier one does nothing
  bool keep_ = true;
  bool unread_ = false;     // something of the last request may still come
  bool continued_ = false;  // the client was asked for the body
  bool each_piece_ = true;  // of a body has a time limit
  bool watching_ = false;   // reads into buffer_ while something else goes on
  bool timed_out_ = false;
  bool streaming_ = false;  // the head of an event stream was sent
  bool last_ = false;       // the last event is in the queue
  std::deque<Text> queue_;  // the front one is being written
  std::int64_t queue_bytes_ = 0;
};

}  // namespace

void ServeHttp(HttpHost& host, ByteStream stream) {
  std::make_shared<Session>(host, std::move(stream))->ReadHeader();
}

void HttpWork::OnServerEnd() {
  exchange_.Close();
}

void HttpHost::PublishText(std::string name, std::shared_ptr<const std::string> text) {
  if (posted >= kMostPosted) return CountChange([](HttpCounters& c) { ++c.events_lost; });
  ++posted;
  asio::post(server().io(), [this, name = std::move(name), text = std::move(text)] {
    --posted;
    // One that does not read is closed here, never destroyed: its handlers still own it.
    for (Session* session : server().connections<Session>()) session->OnEvent(name, text);
  });
}

}  // namespace headroom::net
