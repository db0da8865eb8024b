// One of the few files with Asio in them: they take most of a minute to compile.
#include "api/web_server.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "api/public_event.h"
#include "api/route.h"
#include "api/web_core.h"

namespace headroom::api {
namespace {

constexpr Milliseconds kFarewell{500};     // for answers on their way when the server ends
constexpr Milliseconds kAcceptAgain{200};  // after running out of descriptors
constexpr std::size_t kMostPosted = 4096;  // events on their way to the server's thread

}  // namespace

Result<> WebServer::Core::Begin() {
  BoostError failed;
  const Tcp::endpoint at(asio::ip::make_address(ToText(listen.address), failed), listen.port);
  const auto attempt = [&](auto what) {
    if (!failed) static_cast<void>(what());
  };
  attempt([&] { return acceptor.open(at.protocol(), failed); });
  attempt([&] { return acceptor.set_option(Tcp::acceptor::reuse_address(true), failed); });
  attempt([&] { return acceptor.bind(at, failed); });
  attempt([&] { return acceptor.listen(4096, failed); });
  if (failed == asio::error::address_in_use)
    return Fail(Errc::kBusy, "{}: somebody else has this port", options.listen);
  if (failed) return Fail(Errc::kIo, "{}: {}", options.listen, failed.message());
  port = acceptor.local_endpoint(failed).port();
  Accept();
  Sweep();
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
    return Fail(Errc::kNoMemory, "{}: {}", options.listen, error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void WebServer::Core::Run() {
  ::pthread_setname_np(::pthread_self(), "web");
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::bad_alloc&) {
      // The one connection is lost; the others go on.
    }
  }
}

void WebServer::Core::Accept() {
  acceptor.async_accept(
      [this](const BoostError& failed, Tcp::socket peer) { OnAccept(failed, std::move(peer)); });
}

void WebServer::Core::OnAccept(const BoostError& failed, Tcp::socket peer) {
  if (ending) return;
  if (failed) {  // out of descriptors or memory: the ones that are open go on
    MakeRoom();
    accept_again.expires_after(kAcceptAgain);
    accept_again.async_wait([this](const BoostError& cancelled) {
      if (!cancelled && !ending) Accept();
    });
    return;
  }
  if (Open() >= options.most_connections && !MakeRoom()) {
    Count([](WebCounters& c) { ++c.refused_full; });
  } else {
    // A machine that was switched off is noticed in a minute, also while its text is awaited.
    BoostError none;
    static_cast<void>(peer.set_option(Tcp::no_delay(true), none));
    static_cast<void>(peer.set_option(asio::socket_base::keep_alive(true), none));
    const auto set = [&](int name, int value) {
      static_cast<void>(
          ::setsockopt(peer.native_handle(), IPPROTO_TCP, name, &value, sizeof(value)));
    };
    set(TCP_KEEPIDLE, 30);
    set(TCP_KEEPINTVL, 10);
    set(TCP_KEEPCNT, 3);
    if (tls) {
      ++relays;
      auto plain = tls->Open(std::move(peer), [this] {
        --relays;
        OnGone();
      });
      if (!plain) {
        --relays;
        return Accept();
      }
      peer = std::move(*plain);
    }
    Serve(std::move(peer));
  }
  Accept();
}

// The realtime socket without audio for the longest time, if that is since before `since`.
WebServer::SeatOf* WebServer::Core::Quietest(MonoTime since) {
  SeatOf* quietest = nullptr;
  for (SeatOf* seat : seats) {
    if (!seat->may_quiet() || seat->active_at > since) continue;
    if (!quietest || seat->active_at < quietest->active_at) quietest = seat;
  }
  return quietest;
}

// Closes the connection that has waited longest for a request; if none does, the realtime socket
// that has been quiet for longest.
bool WebServer::Core::MakeRoom() {
  Session* oldest = nullptr;
  for (Session* session : sessions) {
    if (session->waiting() && (!oldest || session->age() < oldest->age())) oldest = session;
  }
  if (!oldest) {
    SeatOf* seat = Quietest(SystemClock().Now() - options.realtime_spare);
    if (seat) seat->Quiet("no audio came, and the place is wanted; resume the session to go on");
    return seat != nullptr;
  }
  Count([](WebCounters& c) { ++c.evicted_idle; });
  oldest->Close();
  return true;
}

// Ends the oldest of the recordings that hardly come.
bool WebServer::Core::MakeRoomForUpload() {
  Session* oldest = nullptr;
  MonoTime since = SystemClock().Now();
  for (Session* session : sessions) {
    const auto began = session->UploadsSlowlySince(SystemClock().Now());
    if (began && (!oldest || *began < since)) oldest = session, since = *began;
  }
  if (!oldest) return false;
  oldest->CutUpload();
  return true;
}

// A realtime socket whose token was revoked, or that is quiet for too long, does not live on.
void WebServer::Core::Sweep() {
  sweep.expires_after(options.keep_alive);
  sweep.async_wait([this](const BoostError& cancelled) {
    if (cancelled || ending) return;
    std::vector<SeatOf*> revoked;
    std::ranges::copy_if(seats, std::back_inserter(revoked),
                         [this](const SeatOf* seat) { return !gate.Knows(seat->client()); });
    for (SeatOf* seat : revoked) {
      if (seats.contains(seat)) seat->End();
    }
    while (SeatOf* seat = Quietest(SystemClock().Now() - options.realtime_quiet))
      seat->Quiet("no audio came for too long; resume the session to go on");
    Sweep();
  });
}

void WebServer::Core::Drain(bool on) {
  draining = on;
  if (!on) return;
  for (SeatOf* seat : std::vector(seats.begin(), seats.end())) {
    if (seats.contains(seat)) seat->Drain();
  }
}

void WebServer::Core::End() {
  ending = true;
  BoostError none;
  static_cast<void>(acceptor.close(none));
  accept_again.cancel();
  sweep.cancel();
  // A session may close here, but is never destroyed: its handlers still own it. A seat may be.
  for (Session* session : std::vector(sessions.begin(), sessions.end())) session->End();
  for (SeatOf* seat : std::vector(seats.begin(), seats.end())) {
    if (seats.contains(seat)) seat->End();
  }
  if (Open() == 0 && relays == 0) return;
  farewell.expires_after(kFarewell);
  farewell.async_wait([this](const BoostError& cancelled) {
    if (!cancelled) io.stop();
  });
}

Result<std::unique_ptr<WebServer>> WebServer::Start(WebOptions options, SpeechService& service,
                                                    ControlService* control) {
  TRY_ASSIGN(const ListenAddress listen, ParseListenAddress(options.listen));
  std::unique_ptr<TlsDoor> tls;
  if (!options.tls_certificate.empty() || !options.tls_key.empty()) {
    TRY_ASSIGN(tls, TlsDoor::Make(options.tls_certificate, options.tls_key, options.write_time));
  }
  if (!listen.address.is_loopback()) {
    if (!tls && !options.insecure)
      return Fail(Errc::kInvalid,
                  "{}: others could read speech and tokens on the way there; give a certificate "
                  "(tls_certificate, tls_key), or say that the network is trusted (insecure)",
                  options.listen);
    auto tokens = ReadTokens(options.tokens);
    if (!tokens && tokens.error().code != Errc::kNotFound)
      return Within(tokens, "{}", options.listen);
    if (!tokens || tokens->empty())
      return Fail(Errc::kInvalid,
                  "{}: only with a token for each client; make one: headroom token add NAME",
                  options.listen);
  }
  auto core = std::make_shared<Core>(std::move(options), service, control, listen, std::move(tls));
  TRY(core->Begin());
  return std::unique_ptr<WebServer>(new WebServer(std::move(core)));
}

WebServer::~WebServer() {
  asio::post(core_->io, [core = core_.get()] { core->End(); });
  core_->thread.join();
  core_->running = false;
  // Whoever did not take the last answer in time.
  const auto& sessions = core_->sessions;
  for (Session* session : std::vector(sessions.begin(), sessions.end())) session->Close();
}

void WebServer::Publish(std::string_view name, const nlohmann::json& data) {
  if (!has_subscribers()) return;
  const auto shown = PublicEvent(name, data);
  if (!shown) return;
  if (core_->posted >= kMostPosted) {
    core_->Count([](WebCounters& c) { ++c.events_lost; });
    return;
  }
  ++core_->posted;
  asio::post(core_->io, [core = core_.get(), event = std::make_shared<const std::string>(
                                                 EventText(core_->next_event++, name, *shown))] {
    --core->posted;
    // One that does not read is closed here, never destroyed: its handlers still own it.
    for (Session* session : std::vector(core->sessions.begin(), core->sessions.end()))
      session->Tell(event);
  });
}

bool WebServer::has_subscribers() const {
  return core_->subscribers > 0;
}

void WebServer::Drain(bool on) {
  asio::post(core_->io, [core = core_.get(), on] { core->Drain(on); });
}

Result<> WebServer::ReloadCertificate() {
  const WebOptions& options = core_->options;
  if (options.tls_certificate.empty() && options.tls_key.empty()) return {};
  TRY_ASSIGN(auto door,
             TlsDoor::Make(options.tls_certificate, options.tls_key, options.write_time));
  // Connections that are open keep what they have begun with.
  asio::post(core_->io, [core = core_.get(), door = std::move(door)]() mutable {
    core->tls = std::move(door);
  });
  return {};
}

std::uint16_t WebServer::port() const {
  return core_->port;
}

WebCounters WebServer::counters() const {
  return core_->Counters();
}

}  // namespace headroom::api
