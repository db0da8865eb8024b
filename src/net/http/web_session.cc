#include "net/http/web_session.h"

#include "net/http/web_route.h"
#include "net/realtime/realtime_socket.h"

namespace headroom::net {
namespace {

constexpr Milliseconds kLinger{2'000};  // for a client to see why it was refused
constexpr std::size_t kLingerPiece = 16 << 10;
constexpr std::size_t kWritesPerSecond = 64 << 10;  // the slowest that a long answer may go out

// Of an error in what the client sent.
const boost::system::error_category& ParseCategory() {
  static const BoostError any = http::error::bad_method;
  return any.category();
}

}  // namespace

WebServer::HttpSession::HttpSession(Core& core, Tcp::socket peer)
    : Session(core.connections),
      core_(core),
      stream_(std::move(peer)),
      beat_(core.connections.io()),
      rate_(core.options.requests_per_second) {}

void WebServer::HttpSession::Read() {
  state_ = State::kReading;
  Touch();
  upload_.reset();
  piece_ = {};
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_.options.header_limit.n));
  parser_->body_limit(static_cast<std::uint64_t>((core_.options.upload_limit + kFormBytes).n));
  stream_.expires_after(core_.options.header_time);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](const BoostError& failed, std::size_t) {
                            self->OnHeader(failed);
                          });
}

void WebServer::HttpSession::Tell(const Text& event) {
  if (subscribed_ && state_ == State::kWorking) Push(*event);
}

void WebServer::HttpSession::End() {
  if (subscribed_) return Close();
  if (state_ == State::kWorking)
    FailJob({Errc::kCancelled, "the service ends; ask again when it is back"});
  else if (state_ != State::kWriting)
    Close();
}

void WebServer::HttpSession::Close() {
  if (state_ == State::kClosed) return;
  DropJob();
  if (std::exchange(subscribed_, false)) --core_.subscribers;
  state_ = State::kClosed;
  beat_.cancel();
  stream_.close();
}

void WebServer::HttpSession::OnHeader(const BoostError& failed) {
  if (state_ == State::kClosed) return;
  if (!failed) return Handle();
  head_ = false;
  origin_.clear();
  OnBadRead(failed);
}

void WebServer::HttpSession::OnBadRead(const BoostError& failed) {
  if (failed == beast::error::timeout) {
    core_.Count([](WebCounters& c) { ++c.timed_out; });
  } else if (failed == http::error::partial_message && state_ == State::kBody) {
    core_.Count([](WebCounters& c) { ++c.vanished; });
  } else if (failed != http::error::end_of_stream && failed != http::error::partial_message &&
             failed.category() == ParseCategory()) {
    core_.Count([](WebCounters& c) { ++c.bad_requests; });
    WebError error = BadRequest(400, "malformed", failed.message());
    if (failed == http::error::header_limit) error.status = 431;
    if (failed == http::error::body_limit) {
      error.status = 413;
      error.message =
          fmt::format("the recording is larger than {}", FormatBinary(core_.options.upload_limit));
      error.param = "file";
      error.code = "unsupported";
    }
    return RefuseUnread(error);
  }
  Close();
}

void WebServer::HttpSession::Handle() {
  core_.Count([](WebCounters& c) { ++c.requests; });
  const auto& request = parser_->get();
  const std::string_view target = View(request.target());
  keep_ = request.keep_alive();
  head_ = request.method() == http::verb::head;
  origin_.clear();
  policy_ = kPagePolicy;
  if (!rate_.Admit(SystemClock().Now())) {
    core_.Count([](WebCounters& c) { ++c.refused_rate; });
    WebError error = BadRequest(429, "rate_limit_exceeded", "too many requests on one connection");
    error.type = "rate_limit_error";
    error.retry_after_s = 1;
    return RefuseUnread(error);
  }
  const bool one_host = request.count(http::field::host) == 1;
  const std::string_view origin = Field(http::field::origin);
  if (const auto why = core_.rules.Refuses({one_host ? Field(http::field::host) : "", origin,
                                            View(request["Sec-Fetch-Site"]), target == "/"})) {
    core_.Count([](WebCounters& c) { ++c.refused_site; });
    return RefuseUnread(BadRequest(403, "forbidden_site", *why));
  }
  if (core_.rules.AllowsOrigin(origin)) origin_ = origin;
  if (request.method() == http::verb::options && !origin_.empty()) return AnswerPreflight();

  auto found = FindWebRoute(View(request.method_string()), target);
  const auto* to = std::get_if<WebTarget>(&found);
  std::string client;
  if (!to || (to->route != WebRoute::kPage && to->route != WebRoute::kLive)) {
    const std::string_view subprotocols =
        to && to->route == WebRoute::kRealtime ? Field(http::field::sec_websocket_protocol) : "";
    auto admitted = core_.gate.Admit(TokenOf(Field(http::field::authorization), subprotocols));
    if (!admitted) {
      core_.Count([](WebCounters& c) { ++c.refused_token; });
      WebError error = BadRequest(401, "invalid_api_key", admitted.error().what);
      error.authenticate = true;
      return RefuseUnread(error);
    }
    client = std::move(*admitted);
  }
  if (!to) return RefuseUnread(std::get<WebError>(found));
  if (to->route == WebRoute::kTranscribe || to->route == WebRoute::kTranslate)
    return BeginUpload(to->route == WebRoute::kTranslate);
  if (to->route == WebRoute::kCommand) return BeginCommand(*to);
  if (!parser_->is_done()) {
    WebError error;
    error.message = "this route takes no body";
    return RefuseUnread(error);
  }
  if (to->route == WebRoute::kEvents) return BeginEvents();
  if (to->route == WebRoute::kRealtime) return HandOver(std::move(client));
  Answer(*to);
}

void WebServer::HttpSession::Answer(const WebTarget& to) {
  constexpr std::string_view kJson = "application/json";
  switch (to.route) {
    case WebRoute::kModels:
      return Send(200, kJson, ModelsJson(core_.service.State()));
    case WebRoute::kModel: {
      auto model = ModelJson(core_.service.State(), to.name);
      if (model) return Send(200, kJson, std::move(*model));
      WebError error = BadField("model", "there is no such model; GET /v1/models has the list",
                                "model_not_found");
      error.status = 404;
      return Refuse(error);
    }
    case WebRoute::kLive:
      return Send(200, "text/plain", "alive\n");
    case WebRoute::kReady: {
      const ServiceState state = core_.service.State();
      return Send(state.ready ? 200 : 503, kJson, ReadyJson(state),
                  state.ready ? 0 : RetryAfterSeconds(state));
    }
    case WebRoute::kMetrics:
      return Send(200, "text/plain; version=0.0.4; charset=utf-8",
                  core_.service.Metrics() + CountersText(core_.Counters()));
    case WebRoute::kInspect: {
      auto found = core_.service.Inspect(to.name);
      if (found) return Send(200, kJson, std::move(*found));
      return Refuse(BadRequest(404, "unknown_url", "there is no such part of the service"));
    }
    default: {
      const PageFile* file = FindPageFile(to.name);
      if (to.name != "/") policy_ = kFramePolicy;
      return Send(200, file->type, std::string(file->text));
    }
  }
}

void WebServer::HttpSession::AnswerPreflight() {
  http::response<http::string_body> response;
  response.result(http::status::no_content);
  response.set(http::field::access_control_allow_methods, "GET, POST, HEAD");
  const std::string_view asked = Field(http::field::access_control_request_headers);
  if (asked.size() <= 2000 &&
      asked.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ") ==
          std::string_view::npos)
    response.set(http::field::access_control_allow_headers,
                 beast::string_view(asked.data(), asked.size()));
  response.set("Access-Control-Allow-Private-Network", "true");
  response.set(http::field::access_control_max_age, "600");
  if (!parser_->is_done()) keep_ = false, unread_ = true;
  Write(std::move(response));
}

void WebServer::HttpSession::HandOver(std::string client) {
  if (!ListHas(Field(http::field::upgrade), "websocket") ||
      !ListHas(Field(http::field::connection), "upgrade") || buffer_.size() > 0) {
    return RefuseUnread(BadRequest(buffer_.size() > 0 ? 400 : 426, "upgrade_required",
                                   "/v1/realtime is a WebSocket"));
  }
  core_.Count([](WebCounters& c) { ++c.realtime; });
  RealtimeRequest request(std::move(parser_->get().base()));
  auto slot = std::make_unique<RealtimeSlotOf>(core_, std::move(client));
  state_ = State::kClosed;
  stream_.expires_never();
  RealtimeSlotOf& place = *slot;
  ServeRealtime(std::move(stream_), std::move(request), core_.service, std::move(slot));
  if (core_.draining) place.Drain();
}

// ---- answers ----

void WebServer::HttpSession::RefuseForService(const WebError& error) {
  core_.Count([](WebCounters& c) { ++c.refused_busy; });
  RefuseUnread(error);
}

// The request has perhaps not been read to its end.
void WebServer::HttpSession::RefuseUnread(const WebError& error) {
  keep_ = false;
  unread_ = true;
  Refuse(error);
}

void WebServer::HttpSession::Refuse(const WebError& error) {
  Send(error.status, "application/json", error.Json(), error.retry_after_s, error.allow,
       error.authenticate);
}

void WebServer::HttpSession::Send(unsigned status, std::string_view type, std::string body,
                                  int retry_after_s, const std::string& allow, bool authenticate) {
  http::response<http::string_body> response;
  response.result(status);
  response.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  if (retry_after_s > 0) response.set(http::field::retry_after, std::to_string(retry_after_s));
  if (!allow.empty()) response.set(http::field::allow, allow);
  if (status == 426) response.set(http::field::upgrade, "websocket");
  if (authenticate) response.set(http::field::www_authenticate, "Bearer");
  if (type.starts_with("text/html")) response.set("Content-Security-Policy", policy_);
  response.body() = std::move(body);
  Write(std::move(response));
}

void WebServer::HttpSession::Write(http::response<http::string_body> made) {
  DropJob();
  state_ = State::kWriting;
  made.version(11);
  made.set(http::field::cache_control, "no-store");
  made.set("X-Content-Type-Options", "nosniff");
  made.set("Referrer-Policy", "no-referrer");
  if (origin_.empty()) {
    made.set("Cross-Origin-Resource-Policy", "same-origin");
  } else {
    made.set(http::field::access_control_allow_origin, origin_);
    made.set(http::field::vary, "Origin");
  }
  keep_ = keep_ && !core_.connections.ending();
  made.keep_alive(keep_);
  made.prepare_payload();
  const auto seconds = made.body().size() / kWritesPerSecond;
  if (head_) made.body().clear();  // its length is still said
  const auto response = std::make_shared<http::response<http::string_body>>(std::move(made));
  stream_.expires_after(core_.options.write_time + std::chrono::seconds(seconds));
  http::async_write(stream_, *response,
                    [self = shared_from_this(), response](const BoostError& failed, std::size_t) {
                      self->OnWritten(failed);
                    });
}

void WebServer::HttpSession::OnWritten(const BoostError& failed) {
  if (state_ == State::kClosed) return;
  if (failed == beast::error::timeout) core_.Count([](WebCounters& c) { ++c.timed_out; });
  if (failed || core_.connections.ending()) return Close();
  if (keep_) return Read();
  if (!unread_) return Close();
  // Closing with something unread would take the answer away from the client.
  state_ = State::kLingering;
  BoostError none;
  static_cast<void>(stream_.socket().shutdown(Tcp::socket::shutdown_send, none));
  stream_.expires_after(kLinger);
  upload_.reset();
  buffer_.clear();
  Linger();
}

void WebServer::HttpSession::Linger() {
  stream_.async_read_some(buffer_.prepare(kLingerPiece),
                          [self = shared_from_this()](const BoostError& failed, std::size_t) {
                            if (self->state_ == State::kClosed) return;
                            if (failed) return self->Close();
                            self->Linger();
                          });
}

void WebServer::Core::Greet(Tcp::socket peer) {
  std::make_shared<HttpSession>(*this, std::move(peer))->Read();
}

}  // namespace headroom::net
