#include "api/wyoming_server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "api/address.h"
#include "api/counter_text.h"
#include "api/wyoming.h"

namespace headroom::api {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr Milliseconds kFarewell{500};       // for what is on its way when the server ends
constexpr Milliseconds kAcceptAgain{200};    // after running out of descriptors
constexpr Milliseconds kLookAgain{500};      // whether a client that is not read from has gone
constexpr Milliseconds kLinger{2000};        // for a client to take an error before the end
constexpr std::size_t kPiece = 10 * 16'000;  // samples: the most a stream takes at once
constexpr int kBacklog = 512;

IpAddress AddressOf(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address();
  const auto v6 = address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4())
                                  : address.to_v6();
  IpAddress ours;
  std::ranges::copy(v6.to_bytes(), ours.bytes.begin());
  return ours;
}

tcp::endpoint EndpointOf(const ListenAddress& listen) {
  asio::ip::address_v6::bytes_type bytes;
  std::ranges::copy(listen.address.bytes, bytes.begin());
  const asio::ip::address_v6 v6(bytes);
  if (listen.address.is_v4())
    return {asio::ip::make_address_v4(asio::ip::v4_mapped, v6), listen.port};
  return {v6, listen.port};
}

}  // namespace

// Everything but `counters` belongs to the server's thread.
struct WyomingServer::Core : std::enable_shared_from_this<WyomingServer::Core> {
  Core(WyomingOptions with, SpeechService& to, ListenAddress at, std::vector<IpRange> peers)
      : options(std::move(with)), service(to), listen(at), allowed(std::move(peers)) {}

  Result<> Begin();
  void Accept();
  void OnAccept(const ErrorCode& failed, tcp::socket peer);
  bool MayConnect(const tcp::socket& peer) const;
  bool MakeRoom();
  void End();
  void Run();

  template <class Change>
  void Count(Change change) {
    const std::lock_guard guard(mutex);
    change(counters);
  }

  const WyomingOptions options;
  SpeechService& service;
  const ListenAddress listen;
  const std::vector<IpRange> allowed;
  std::uint16_t port = 0;       // that was bound
  std::set<Session*> sessions;  // each takes itself out; outlives `io`, whose handlers own them
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer accept_again{io}, farewell{io};
  bool running = false;  // the thread; false again once it has been joined
  bool ending = false;
  std::uint64_t age = 0;  // grows with each event: the smallest is idle longest

  std::mutex mutex;
  WyomingCounters counters;  // guarded by mutex
  std::thread thread;
};

// One connection. It lives as long as a read, a write or a timer of it is under way; its stream's
// events hold it only weakly.
class WyomingServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Core& core, tcp::socket peer)
      : core_(core),
        socket_(std::move(peer)),
        deadline_(core.io),
        write_deadline_(core.io),
        again_(core.io),
        parser_(core.options.limits),
        age_(++core.age) {
    core_.sessions.insert(this);
    core_.Count([this](WyomingCounters& c) { ++c.connections, c.open = core_.sessions.size(); });
  }
  ~Session() {
    Close();
    core_.sessions.erase(this);
    core_.Count([this](WyomingCounters& c) { c.open = core_.sessions.size(); });
    if (core_.running && core_.ending && core_.sessions.empty()) core_.farewell.cancel();
  }

  bool idle() const { return !closing_ && !session_.listening() && !session_.waiting(); }
  std::uint64_t age() const { return age_; }

  void Begin() {
    ErrorCode none;
    static_cast<void>(socket_.set_option(tcp::no_delay(true), none));
    static_cast<void>(socket_.set_option(asio::socket_base::keep_alive(true), none));
    SetDeadline();
    Read();
  }

  void End() {
    if (idle()) return Close();
    if (!closing_) Do(session_.OnFailed({Errc::kCancelled, "the service ends"}));
  }

  void Close() {
    if (closed_) return;
    closed_ = true;
    DropStream();
    deadline_.cancel();
    write_deadline_.cancel();
    again_.cancel();
    ErrorCode none;
    static_cast<void>(socket_.close(none));
  }

 private:
  // ---- reading ----

  void Read() {
    if (closed_ || reading_) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(bytes_), [self = shared_from_this()](
                                                      const ErrorCode& failed, std::size_t count) {
      self->reading_ = false;
      self->OnRead(failed, count);
    });
  }

  void OnRead(const ErrorCode& failed, std::size_t count) {
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
        age_ = ++core_.age;
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

  // While nothing is read, only asking tells that the client has gone.
  void LookAgain() {
    again_.expires_after(audio_.empty() ? kLookAgain : core_.options.busy_again);
    again_.async_wait([self = shared_from_this()](const ErrorCode& cancelled) {
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
      asio::post(alive->io, [weak, turn, what, with...] {
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
    write_deadline_.async_wait([self = shared_from_this()](const ErrorCode& cancelled) {
      if (cancelled || self->closed_ || self->queue_.empty() ||
          self->write_deadline_.expiry() > SystemClock().Now())
        return;
      self->core_.Count([](WyomingCounters& c) { ++c.slow_readers; });
      self->Close();
    });
    asio::async_write(socket_, asio::buffer(queue_.front()),
                      [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
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
    ErrorCode failed;
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
    deadline_.async_wait([self = shared_from_this()](const ErrorCode& cancelled) {
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
  std::uint64_t age_;
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
  const tcp::endpoint at = EndpointOf(listen);
  ErrorCode failed;
  const auto step = [&](auto what) {
    if (!failed) what();
  };
  step([&] { static_cast<void>(acceptor.open(at.protocol(), failed)); });
  step([&] { static_cast<void>(acceptor.set_option(tcp::acceptor::reuse_address(true), failed)); });
  step([&] { static_cast<void>(acceptor.bind(at, failed)); });
  step([&] { static_cast<void>(acceptor.listen(kBacklog, failed)); });
  if (failed == asio::error::address_in_use)
    return Fail(Errc::kBusy, "wyoming.listen: {}: another program listens there", options.listen);
  if (failed)
    return Fail(Errc::kNetwork, "wyoming.listen: {}: {}", options.listen, failed.message());
  port = acceptor.local_endpoint(failed).port();
  Accept();
  // Signals are for the daemon's own thread.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  running = true;
  try {
    thread = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    running = false;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return Fail(Errc::kNoMemory, "wyoming: {}", error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void WyomingServer::Core::Run() {
  ::pthread_setname_np(::pthread_self(), "wyoming");
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::bad_alloc&) {
      // The one connection is lost; the others go on.
    }
  }
}

void WyomingServer::Core::Accept() {
  acceptor.async_accept(
      [this](const ErrorCode& failed, tcp::socket peer) { OnAccept(failed, std::move(peer)); });
}

void WyomingServer::Core::OnAccept(const ErrorCode& failed, tcp::socket peer) {
  if (ending) return;
  if (failed) {  // out of descriptors or memory: the ones that are open go on
    MakeRoom();
    accept_again.expires_after(kAcceptAgain);
    accept_again.async_wait([this](const ErrorCode& cancelled) {
      if (!cancelled && !ending) Accept();
    });
    return;
  }
  if (!MayConnect(peer))
    Count([](WyomingCounters& c) { ++c.refused_peers; });
  else if (sessions.size() >= options.most_connections && !MakeRoom())
    Count([](WyomingCounters& c) { ++c.refused_full; });
  else
    std::make_shared<Session>(*this, std::move(peer))->Begin();
  Accept();
}

bool WyomingServer::Core::MayConnect(const tcp::socket& peer) const {
  ErrorCode failed;
  const IpAddress address = AddressOf(peer.remote_endpoint(failed));
  if (failed) return false;
  return address.is_loopback() || std::ranges::any_of(allowed, [&](const IpRange& range) {
           return range.Contains(address);
         });
}

// Closes the connection that has been idle longest.
bool WyomingServer::Core::MakeRoom() {
  Session* oldest = nullptr;
  for (Session* session : sessions) {
    if (session->idle() && (!oldest || session->age() < oldest->age())) oldest = session;
  }
  if (!oldest) return false;
  Count([](WyomingCounters& c) { ++c.evicted_idle; });
  oldest->Close();
  return true;
}

void WyomingServer::Core::End() {
  ending = true;
  ErrorCode none;
  static_cast<void>(acceptor.close(none));
  accept_again.cancel();
  for (Session* session : std::vector(sessions.begin(), sessions.end())) session->End();
  if (sessions.empty()) return;
  farewell.expires_after(kFarewell);
  farewell.async_wait([this](const ErrorCode& cancelled) {
    if (!cancelled) io.stop();
  });
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
  asio::post(core_->io, [core = core_.get()] { core->End(); });
  core_->thread.join();
  core_->running = false;
  // Whoever did not take the last words in time.
  const auto& sessions = core_->sessions;
  for (Session* session : std::vector(sessions.begin(), sessions.end())) session->Close();
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

std::string CountersText(const WyomingCounters& counters) {
  std::string text;
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help,
                       std::uint64_t value) {
    AddNumber(text, fmt::format("headroom_wyoming_{}", name), type, help, value);
  };
  add("connections_total", "counter", "Connections accepted.", counters.connections);
  add("transcripts_total", "counter", "Transcripts sent.", counters.transcripts);
  add("vanished_total", "counter", "Clients that left before their transcript.", counters.vanished);
  add("failed_total", "counter", "Connections closed because the service failed.", counters.failed);
  add("bad_events_total", "counter", "Connections closed for what they sent.", counters.bad_events);
  add("timed_out_total", "counter", "Connections closed for waiting too long.", counters.timed_out);
  add("slow_readers_total", "counter", "Connections closed because nobody read.",
      counters.slow_readers);
  add("evicted_idle_total", "counter", "Idle connections closed because there were too many.",
      counters.evicted_idle);
  add("waits_total", "counter", "Pieces of audio that the service did not take at once.",
      counters.waits);
  add("open_connections", "gauge", "Connections now.", counters.open);
  text += fmt::format(
      "# HELP headroom_wyoming_refused_total Connections refused, by reason.\n"
      "# TYPE headroom_wyoming_refused_total counter\n"
      "headroom_wyoming_refused_total{{reason=\"address\"}} {}\n"
      "headroom_wyoming_refused_total{{reason=\"full\"}} {}\n",
      counters.refused_peers, counters.refused_full);
  return text;
}

WyomingCounters WyomingServer::counters() const {
  const std::lock_guard guard(core_->mutex);
  return core_->counters;
}

}  // namespace headroom::api
