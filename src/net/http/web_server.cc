#include "net/http/web_server.h"

#include <boost/asio/post.hpp>

#include "net/control/event_json.h"
#include "net/control/json_text.h"
#include "net/control/public_event.h"
#include "net/http/upload_work.h"
#include "net/http/web_core.h"
#include "net/http/web_routes.h"
#include "net/server/tcp_socket.h"

namespace headroom::net {
namespace {

constexpr Bytes kFormBytes = MiB(1);     // what a form may have besides the recording
constexpr Bytes kCommandBytes = KiB(4);  // of a command that manages the service
constexpr std::string_view kFieldCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ";

HttpLimits LimitsOf(const WebOptions& options) {
  return {.header = options.header_limit,
          .body = options.upload_limit + kFormBytes,
          .header_time = options.header_time,
          .body_time = options.body_time,
          .write_time = options.write_time,
          .keep_alive = options.keep_alive,
          .bytes_waiting = options.bytes_waiting,
          .requests_per_second = options.requests_per_second,
          .clock = options.clock};
}

}  // namespace

WebCore::WebCore(WebOptions with, SpeechService& to, ControlService* by, ListenAddress at,
                 std::shared_ptr<TlsContext> context)
    : HttpHost(LimitsOf(with)),
      options(std::move(with)),
      service(to),
      listen(at),
      tls(std::move(context)),
      rules(listen, options.hosts, options.origins, tls != nullptr),
      gate(options.tokens, !listen.address.is_loopback()),
      control(by ? std::optional<ControlBackend>(ControlBackend{
                       .service = *by,
                       .fail =
                           [this](const Error& error, unsigned status) {
                             return ToAnswer(FromControl(error, status, service.State()));
                           },
                       .followers = subscribers,
                       .next_event = next_event,
                       .body_limit = kCommandBytes,
                       .body_time = options.body_time,
                       .answer_time = options.command_time,
                       .watch_peer = true})
                 : std::nullopt),
      routes(WebRoutes(*this)),
      connections(*this, options.most_connections) {}

Result<> WebCore::Begin() {
  auto socket = ListenTcp(listen);
  if (!socket) return Within(socket, "{}", options.listen);
  port = PortOf(socket->get());
  Sweep();
  if (auto begun = connections.Begin(std::move(*socket), "web"); !begun)
    return Within(begun, "{}", options.listen);
  return {};
}

void WebCore::Serve(Fd peer) {
  SetUpPeer(peer.get());
  auto socket = Adopt(connections.io(), asio::ip::tcp::v4(), std::move(peer));
  if (!socket) return;
  if (!tls) return ServeHttp(*this, ByteStream(std::move(*socket)));
  connections.Hold();
  ServeHttp(*this, tls->Open(std::move(*socket), [this] { connections.Release(); }));
}

// ---- who may ask ----

bool WebCore::Admit(Exchange& exchange, const Route* route) {
  if (!AdmitSite(exchange)) return false;
  if (exchange.method() == "OPTIONS" && !exchange.origin.empty()) {
    AnswerPreflight(exchange);
    return false;
  }
  if (!AdmitToken(exchange, route)) return false;
  return !route || AdmitCommand(exchange, *route);
}

bool WebCore::AdmitSite(Exchange& exchange) {
  const bool one_host = exchange.CountField("Host") == 1;
  const std::string_view origin = exchange.Field("Origin");
  if (const auto why =
          rules.Refuses({one_host ? exchange.Field("Host") : "", origin,
                         exchange.Field("Sec-Fetch-Site"), exchange.target() == "/"})) {
    Count([](WebCounters& c) { ++c.refused_site; });
    exchange.SendUnread(ToAnswer(BadRequest(403, "forbidden_site", *why)));
    return false;
  }
  if (rules.AllowsOrigin(origin)) exchange.origin = origin;
  return true;
}

bool WebCore::AdmitToken(Exchange& exchange, const Route* route) {
  if (route && route->access == Access::kOpen) return true;
  const bool realtime = route && route->path == kRealtimePath;
  auto admitted = gate.Admit(TokenOf(exchange.Field("Authorization"),
                                     realtime ? exchange.Field("Sec-WebSocket-Protocol") : ""));
  if (admitted) {
    exchange.client = std::move(*admitted);
    return true;
  }
  Count([](WebCounters& c) { ++c.refused_token; });
  WebError error = BadRequest(401, "invalid_api_key", admitted.error().what);
  error.authenticate = true;
  exchange.SendUnread(ToAnswer(error));
  return false;
}

// What changes something is for our own page and for programs, never for a page of another site.
bool WebCore::AdmitCommand(Exchange& exchange, const Route& route) {
  if (route.access != Access::kOwnSite && route.access != Access::kHistory) return true;
  const auto refuse = [&exchange](unsigned status, const char* code, const char* why) {
    exchange.SendUnread(ToAnswer(BadRequest(status, code, why)));
    return false;
  };
  if (route.access == Access::kHistory && !options.history)
    return refuse(404, "unknown_url", "texts are not shown to the network (server.history)");
  if (!exchange.origin.empty()) {
    Count([](WebCounters& c) { ++c.refused_site; });
    return refuse(403, "forbidden_site", "a page of another site may not do this");
  }
  const std::string_view type = exchange.Field("Content-Type");
  if (route.method == "POST" && type != "application/json" &&
      !type.starts_with("application/json;"))
    return refuse(415, "not_json", "the body has to be application/json");
  return true;
}

void WebCore::AnswerPreflight(Exchange& exchange) {
  HttpAnswer answer{.status = 204,
                    .type = "",
                    .fields = {{"Access-Control-Allow-Methods", "GET, POST, HEAD"},
                               {"Access-Control-Allow-Private-Network", "true"},
                               {"Access-Control-Max-Age", "600"}}};
  const std::string_view asked = exchange.Field("Access-Control-Request-Headers");
  if (asked.size() <= 2000 && asked.find_first_not_of(kFieldCharacters) == std::string_view::npos)
    answer.fields.emplace_back("Access-Control-Allow-Headers", asked);
  if (exchange.has_body()) return exchange.SendUnread(std::move(answer));
  exchange.Send(std::move(answer));
}

HttpAnswer WebCore::AnswerFor(const HttpRefusal& refusal) {
  using Kind = HttpRefusal::Kind;
  WebError error = BadRequest(StatusOf(refusal.kind), "malformed", refusal.message);
  switch (refusal.kind) {
    case Kind::kMalformed:
    case Kind::kHeaderTooLong:
      break;
    case Kind::kBodyTooLong:
      error.message =
          fmt::format("the recording is larger than {}", FormatBinary(options.upload_limit));
      error.param = "file";
      error.code = "unsupported";
      break;
    case Kind::kTooManyRequests:
      error.code = "rate_limit_exceeded";
      error.type = "rate_limit_error";
      error.retry_after_s = 1;
      break;
    case Kind::kNoSuchRoute:
      error.code = "unknown_url";
      break;
    case Kind::kWrongMethod:
      error.code = "method_not_allowed";
      error.allow = refusal.allow;
      break;
  }
  return ToAnswer(error);
}

void WebCore::AddFields(const Exchange& exchange, HttpFields& fields) const {
  fields.emplace_back("Cache-Control", "no-store");
  fields.emplace_back("X-Content-Type-Options", "nosniff");
  fields.emplace_back("Referrer-Policy", "no-referrer");
  if (exchange.origin.empty()) {
    fields.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  } else {
    fields.emplace_back("Access-Control-Allow-Origin", exchange.origin);
    fields.emplace_back("Vary", "Origin");
  }
}

void WebCore::RefuseForService(Exchange& exchange, const WebError& error) {
  Count([](WebCounters& c) { ++c.refused_busy; });
  exchange.SendUnread(ToAnswer(error));
}

bool WebCore::MakeRoomForUpload() {
  UploadWork* oldest = nullptr;
  MonoTime since = SystemClock().Now();
  for (UploadWork* upload : uploads) {
    const auto began = upload->SlowSince(SystemClock().Now());
    if (began && (!oldest || *began < since)) oldest = upload, since = *began;
  }
  if (!oldest) return false;
  oldest->Cut();
  return true;
}

// ---- the server ----

Result<std::unique_ptr<WebServer>> WebServer::Start(WebOptions options, SpeechService& service,
                                                    ControlService* control) {
  TRY_ASSIGN(const ListenAddress listen, ParseListenAddress(options.listen));
  std::shared_ptr<TlsContext> tls;
  if (!options.tls_certificate.empty() || !options.tls_key.empty()) {
    TRY_ASSIGN(tls, TlsContext::Make(options.tls_certificate, options.tls_key));
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
  auto core =
      std::make_shared<WebCore>(std::move(options), service, control, listen, std::move(tls));
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
  core_->PublishText(std::string(NameOf(event)), std::make_shared<const std::string>(EventText(
                                                     core_->next_event++, NameOf(event), *shown)));
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
  TRY_ASSIGN(auto context, TlsContext::Make(options.tls_certificate, options.tls_key));
  // Connections that are open keep what they have begun with.
  asio::post(core_->connections.io(), [core = core_.get(), context = std::move(context)]() mutable {
    core->tls = std::move(context);
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
