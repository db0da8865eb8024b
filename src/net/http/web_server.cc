#include "net/http/web_server.h"

#include <boost/asio/post.hpp>

#include "net/control/event_json.h"
#include "net/control/public_event.h"
#include "net/control/route.h"
#include "net/http/web_core.h"
#include "net/server/tcp_socket.h"

namespace headroom::net {
namespace {

constexpr std::size_t kMostPosted = 4096;  // events on their way to the server's thread

}  // namespace

Result<> WebServer::Core::Begin() {
  auto socket = ListenTcp(listen);
  if (!socket) return Within(socket, "{}", options.listen);
  port = PortOf(socket->get());
  Sweep();
  if (auto begun = connections.Begin(std::move(*socket), "web"); !begun)
    return Within(begun, "{}", options.listen);
  return {};
}

void WebServer::Core::Serve(Fd peer) {
  SetUpPeer(peer.get());
  auto socket = Adopt(connections.io(), Tcp::v4(), std::move(peer));
  if (!socket) return;
  if (!tls) return Greet(std::move(*socket));
  connections.Hold();
  auto plain = tls->Open(std::move(*socket), [this] { connections.Release(); });
  if (!plain) return connections.Release();
  Greet(std::move(*plain));
}

// Ends the oldest of the recordings that hardly come.
bool WebServer::Core::MakeRoomForUpload() {
  Session* oldest = nullptr;
  MonoTime since = SystemClock().Now();
  for (Session* session : connections.connections<Session>()) {
    const auto began = session->UploadsSlowlySince(SystemClock().Now());
    if (began && (!oldest || *began < since)) oldest = session, since = *began;
  }
  if (!oldest) return false;
  oldest->CutUpload();
  return true;
}

Result<std::unique_ptr<WebServer>> WebServer::Start(WebOptions options, SpeechService& service,
                                                    ControlService* control) {
  TRY_ASSIGN(const ListenAddress listen, ParseListenAddress(options.listen));
  std::unique_ptr<TlsTerminator> tls;
  if (!options.tls_certificate.empty() || !options.tls_key.empty()) {
    TRY_ASSIGN(tls,
               TlsTerminator::Make(options.tls_certificate, options.tls_key, options.write_time));
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
  core_->connections.End();
}

void WebServer::Publish(const Event& event) {
  if (!has_subscribers()) return;
  const auto shown = PublicEvent(event);
  if (!shown) return;
  if (core_->posted >= kMostPosted) {
    core_->Count([](WebCounters& c) { ++c.events_lost; });
    return;
  }
  ++core_->posted;
  asio::post(core_->connections.io(),
             [core = core_.get(), text = std::make_shared<const std::string>(
                                      EventText(core_->next_event++, NameOf(event), *shown))] {
               --core->posted;
               // One that does not read is closed here, never destroyed: its handlers still own it.
               for (Session* session : core->connections.connections<Session>())
                 session->Tell(text);
             });
}

bool WebServer::has_subscribers() const {
  return core_->subscribers > 0;
}

void WebServer::Drain(bool on) {
  asio::post(core_->connections.io(), [core = core_.get(), on] { core->Drain(on); });
}

Result<> WebServer::ReloadCertificate() {
  const WebOptions& options = core_->options;
  if (options.tls_certificate.empty() && options.tls_key.empty()) return {};
  TRY_ASSIGN(auto terminator,
             TlsTerminator::Make(options.tls_certificate, options.tls_key, options.write_time));
  // Connections that are open keep what they have begun with.
  asio::post(core_->connections.io(),
             [core = core_.get(), terminator = std::move(terminator)]() mutable {
               core->tls = std::move(terminator);
             });
  return {};
}

std::uint16_t WebServer::port() const {
  return core_->port;
}

WebCounters WebServer::counters() const {
  return core_->Counters();
}

}  // namespace headroom::net
