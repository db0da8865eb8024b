#include "net/wyoming/wyoming_server.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>

#include "net/server/address.h"
#include "net/server/connection_server.h"
#include "net/server/tcp_socket.h"
#include "net/wyoming/wyoming.h"

namespace headroom::net {
namespace {

using asio::ip::tcp;

constexpr Milliseconds kLookAgain{500};      // whether a client that is not read from has gone
constexpr Milliseconds kLinger{2000};        // for a client to take an error before the end
constexpr std::size_t kPiece = 10 * 16'000;  // samples: the most a stream takes at once
constexpr int kBacklog = 512;

}  // namespace

// Everything but `counters` belongs to the server's thread.
struct WyomingServer::Core final : std::enable_shared_from_this<WyomingServer::Core>,
                                   ConnectionServer::Owner {
  Core(WyomingOptions with, SpeechService& to, ListenAddress at, std::vector<IpRange> peers)
      : options(std::move(with)), service(to), listen(at), allowed(std::move(peers)) {}

  Result<> Begin();
  bool MayConnect(int peer) override;
  void Serve(Fd peer) override;
  void OnEnd() override {}

  template <class Change>
  void Count(Change change) {
    counters.Count(change);
  }
  WyomingCounters Counters() const {
    WyomingCounters now = counters.Now();
    static_cast<ConnectionCounters&>(now) = connections.counters();
    return now;
  }

  const WyomingOptions options;
  SpeechService& service;
  const ListenAddress listen;
  const std::vector<IpRange> allowed;
  std::uint16_t port = 0;  // that was bound
  Counted<WyomingCounters> counters;
  ConnectionServer connections{*this, options.most_connections};
};

// One connection. It lives as long as a read, a write or a timer of it is under way; its stream's
// events hold it only weakly.
class WyomingServer::Session final : public ConnectionServer::Connection,
                                     public std::enable_shared_from_this<Session> {
 public:
  Session(Core& core, tcp::socket peer)
      : Connection(core.connections),
        core_(core),
        socket_(std::move(peer)),
        deadline_(core.connections.io()),
        write_deadline_(core.connections.io()),
        again_(core.connections.io()),
        parser_(core.options.limits) {
    Touch();
  }
  ~Session() override { Session::Close(); }

  bool idle() const override { return !closing_ && !session_.listening() && !session_.waiting(); }

  void Begin() {
    SetDeadline();
    Read();
  }

  void End() override {
    if (idle()) return Close();
    if (!closing_) Do(session_.OnFailed({Errc::kCancelled, "the service ends"}));
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    DropStream();
    deadline_.cancel();
    write_deadline_.cancel();
    again_.cancel();
    BoostError none;
    static_cast<void>(socket_.close(none));
  }

 private:
  // ---- reading ----

  void Read() {
    if (closed_ || reading_) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(bytes_), [self = shared_from_this()](
                                                      const BoostError& failed, std::size_t count) {
      self->reading_ = false;
      self->OnRead(failed, count);
    });
  }

  void OnRead(const BoostError& failed, std::size_t count) {
    if (closed_) return;
    if (failed) return Gone();
    if (closing_) return Read();  // to the end, so that nothing unread resets the connection
    parser_.Feed(std::string_view(bytes_.data(), count));
    Work();
  }

  void Gone() {
    if (!idle() && !closing_) core_.Count([](WyomingCounters& c) { ++c.vanished; });
    Close();
  }

  bool held_up() const { return !audio_.empty() || session_.waiting(); }

  // Does what was read, as far as the service keeps up, and then reads on.
  void Work() {
    while (!closed_ && !closing_ && !held_up()) {
      auto event = parser_.Next();
      if (!event) {
        core_.Count([](WyomingCounters& c) { ++c.bad_events; });
        Do(session_.OnFailed(event.error()));
      } else if (*event) {
        Touch();
        WyomingStep step = session_.OnEvent(**event);
        if (step.close) core_.Count([](WyomingCounters& c) { ++c.bad_events; });
        Do(std::move(step));
        SetDeadline();
      } else {
        break;
      }
    }
    if (closed_) return;
    if (audio_.empty() && (!session_.waiting() || parser_.held() == 0 || closing_)) return Read();
    LookAgain();
  }

  // While nothing is read, only asking shows that the client has gone.
  void LookAgain() {
    again_.expires_after(audio_.empty() ? kLookAgain : core_.options.busy_again);
    again_.async_wait([self = shared_from_this()](const BoostError& cancelled) {
      if (cancelled || self->closed_ || self->closing_) return;
      pollfd peer{self->socket_.native_handle(), POLLRDHUP, 0};
      if (::poll(&peer, 1, 0) == 1 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        return self->Gone();
      if (!self->audio_.empty()) self->Offer();
      self->Work();
    });
  }

  // ---- doing ----

  // For the stream to call on any thread: comes on ours, unless that stream is gone by then.
  template <class What>
  auto ToSession(What what) {
    return [core = core_.weak_from_this(), weak = weak_from_this(), turn = turn_,
            what](const auto&... with) {
      const auto alive = core.lock();
      if (!alive) return;
      asio::post(alive->connections.io(), [weak, turn, what, with...] {
        const auto self = weak.lock();
        if (self && !self->closed_ && self->turn_ == turn) what(*self, with...);
      });
    };
  }

  void Do(WyomingStep step) {
    if (closed_ || closing_) return;
    if (step.drop) DropStream();
    if (step.open && !OpenStream(std::move(*step.open))) return;
    if (!step.audio.empty()) {
      audio_ = std::move(step.audio);
      offered_ = 0;
      Offer();
      if (closed_ || closing_) return;
    }
    finish_ = finish_ || step.finish;
    if (audio_.empty()) FinishStream();
    for (const WyomingEvent& event : step.send) Send(WyomingText(event));
    if (step.describe) Send(WyomingText(WyomingInfo(core_.service.State(), core_.options.version)));
    if (step.close) CloseWhenSent();
  }

  bool OpenStream(StreamOptions options) {
    const auto event =
        ToSession([](Session& self, const StreamEvent& what) { self.OnSpeech(what); });
    auto stream = core_.service.OpenStream(std::move(options), event);
    if (!stream) {
      Fail(stream.error());
      return false;
    }
    stream_ = std::move(*stream);
    return true;
  }

  void OnSpeech(const StreamEvent& event) {
    if (event.kind == StreamEvent::Kind::kText) stream_->Acknowledge(event.item);
    Do(session_.OnSpeech(event));
  }

  void OnIdle() {
    WyomingStep step = session_.OnIdle();
    core_.Count([&](WyomingCounters& c) { ++(step.close ? c.failed : c.transcripts); });
    Do(std::move(step));
    SetDeadline();
    again_.cancel();
    Work();
  }

  void Offer() {
    while (offered_ < audio_.size()) {
      const auto piece = std::span<const float>(audio_).subspan(
          offered_, std::min(kPiece, audio_.size() - offered_));
      if (const auto taken = stream_->Append(piece); !taken) {
        if (taken.error().code != Errc::kBusy) return Fail(taken.error());
        if (busy_ == Milliseconds(0)) core_.Count([](WyomingCounters& c) { ++c.waits; });
        busy_ += core_.options.busy_again;
        if (busy_ > core_.options.busy_time) Fail(taken.error());
        return;
      }
      offered_ += piece.size();
      busy_ = Milliseconds(0);
    }
    audio_ = {};
    FinishStream();
    SetDeadline();
  }

  void FinishStream() {
    if (std::exchange(finish_, false))
      stream_->Finish(ToSession([](Session& self) { self.OnIdle(); }));
  }

  void Fail(const Error& error) {
    core_.Count([](WyomingCounters& c) { ++c.failed; });
    Do(session_.OnFailed(error));
  }

  void DropStream() {
    ++turn_;
    audio_ = {};
    finish_ = false;
    if (!stream_) return;
    stream_->Forget();
    stream_.reset();
  }

  // ---- writing ----

  void Send(std::string text) {
    if (closed_) return;
    if (queue_bytes_ > core_.options.bytes_waiting.n) {
      core_.Count([](WyomingCounters& c) { ++c.slow_readers; });
      return Close();
    }
    queue_bytes_ += static_cast<std::int64_t>(text.size());
    queue_.push_back(std::move(text));
    if (queue_.size() == 1) Write();
  }

  void Write() {
    write_deadline_.expires_after(core_.options.write_time);
    write_deadline_.async_wait([self = shared_from_this()](const BoostError& cancelled) {
      if (cancelled || self->closed_ || self->queue_.empty() ||
          self->write_deadline_.expiry() > SystemClock().Now())
        return;
      self->core_.Count([](WyomingCounters& c) { ++c.slow_readers; });
      self->Close();
    });
    asio::async_write(socket_, asio::buffer(queue_.front()),
                      [self = shared_from_this()](const BoostError& failed, std::size_t) {
                        if (self->closed_) return;
                        if (failed) return self->Gone();
                        self->queue_bytes_ -=
                            static_cast<std::int64_t>(self->queue_.front().size());
                        self->queue_.pop_front();
                        if (!self->queue_.empty()) return self->Write();
                        self->write_deadline_.cancel();
                        if (self->closing_) self->ShutDown();
                      });
  }

  void CloseWhenSent() {
    closing_ = true;
    again_.cancel();
    SetDeadline();
    if (queue_.empty()) ShutDown();
    Read();
  }

  void ShutDown() {
    BoostError failed;
    static_cast<void>(socket_.shutdown(tcp::socket::shutdown_send, failed));
    if (failed) Close();
  }

  // ---- time ----

  void SetDeadline() {
    if (closed_) return;
    const WyomingOptions& options = core_.options;
    deadline_.expires_after(closing_               ? options.write_time + kLinger
                            : session_.waiting()   ? options.text_time
                            : session_.listening() ? options.audio_time
                                                   : options.idle_time);
    deadline_.async_wait([self = shared_from_this()](const BoostError& cancelled) {
      if (cancelled || self->closed_ || self->deadline_.expiry() > SystemClock().Now()) return;
      if (!self->audio_.empty()) return self->SetDeadline();  // Offer has a limit of its own
      if (self->closing_) return self->Close();
      self->core_.Count([](WyomingCounters& c) { ++c.timed_out; });
      if (self->idle()) return self->Close();
      self->Do(self->session_.OnFailed({Errc::kTimeout, self->session_.waiting()
                                                            ? "the text did not come in time"
                                                            : "no audio came for too long"}));
    });
  }

  Core& core_;
  tcp::socket socket_;
  asio::steady_timer deadline_, write_deadline_, again_;
  WyomingParser parser_;
  WyomingSession session_;
  std::array<char, 16 * 1024> bytes_{};
  bool reading_ = false;
  bool closing_ = false;  // once everything is sent
  bool closed_ = false;
  std::unique_ptr<SpeechStream> stream_;
  std::uint64_t turn_ = 0;    // which stream
  std::vector<float> audio_;  // that the stream has not taken, from offered_
  std::size_t offered_ = 0;
  bool finish_ = false;            // the stream, once it has
  Milliseconds busy_{0};           // for that long it has not
  std::deque<std::string> queue_;  // the front one is being written
  std::int64_t queue_bytes_ = 0;
};

Result<> WyomingServer::Core::Begin() {
  auto socket = ListenTcp(listen, kBacklog);
  if (!socket) return Within(socket, "wyoming.listen: {}", options.listen);
  port = PortOf(socket->get());
  if (auto begun = connections.Begin(std::move(*socket), "wyoming"); !begun)
    return Within(begun, "wyoming");
  return {};
}

bool WyomingServer::Core::MayConnect(int peer) {
  const auto address = AddressOfPeer(peer);
  if (!address) return false;
  return address->is_loopback() || std::ranges::any_of(allowed, [&](const IpRange& range) {
           return range.Contains(*address);
         });
}

void WyomingServer::Core::Serve(Fd peer) {
  SetUpPeer(peer.get());
  auto socket = Adopt(connections.io(), tcp::v4(), std::move(peer));
  if (socket) std::make_shared<Session>(*this, std::move(*socket))->Begin();
}

Result<std::unique_ptr<WyomingServer>> WyomingServer::Start(WyomingOptions options,
                                                            SpeechService& service) {
  auto listen = ParseListenAddress(options.listen);
  if (!listen) return Within(listen, "wyoming.listen");
  std::vector<IpRange> allowed;
  for (const std::string& text : options.allow) {
    auto range = ParseIpRange(text);
    if (!range) return Within(range, "wyoming.allow");
    allowed.push_back(*range);
  }
  if (!listen->address.is_loopback() && allowed.empty())
    return Fail(
        Errc::kInvalid,
        "wyoming.listen: {}: the protocol has no authentication, so wyoming.allow has to name "
        "who may connect, such as \"192.168.1.0/24\"",
        options.listen);
  auto core = std::make_shared<Core>(std::move(options), service, *listen, std::move(allowed));
  TRY(core->Begin());
  return std::unique_ptr<WyomingServer>(new WyomingServer(std::move(core)));
}

WyomingServer::~WyomingServer() {
  core_->connections.End();
}

std::uint16_t WyomingServer::port() const {
  return core_->port;
}

std::string WyomingServer::Notice() const {
  const IpAddress& address = core_->listen.address;
  const std::string at = address.is_v4() ? fmt::format("{}:{}", ToText(address), port())
                                         : fmt::format("[{}]:{}", ToText(address), port());
  if (address.is_loopback()) return fmt::format("wyoming: {}, for this machine", at);
  std::string who;
  for (const std::string& range : core_->options.allow) who += (who.empty() ? "" : ", ") + range;
  return fmt::format("wyoming: {}, for {}; the protocol has no authentication", at, who);
}

WyomingCounters WyomingServer::counters() const {
  return core_->Counters();
}

}  // namespace headroom::net
