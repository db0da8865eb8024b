// One connection of the HTTP server: requests, uploads, answers and event streams. One of the few
// files with Beast in them: each takes most of a minute to compile.
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <nlohmann/json.hpp>

#include "api/control.h"
#include "api/job_feed.h"
#include "api/route.h"
#include "api/transcription_answer.h"
#include "api/web_core.h"
#include "api/web_route.h"
#include "api/web_upload.h"
#include "base/dirs.h"
#include "base/text.h"

namespace headroom::api {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Text = std::shared_ptr<const std::string>;

constexpr Milliseconds kUploadBegins{500};  // until its speed is judged
constexpr Milliseconds kLookForRoom{100};
constexpr Milliseconds kLinger{2'000};              // for a client to see why it was refused
constexpr std::size_t kPiece = 64 << 10;            // of a body
constexpr Bytes kFormBytes = MiB(1);                // what a form may have beside the recording
constexpr std::size_t kMostCommand = 4 << 10;       // its body
constexpr std::size_t kWritesPerSecond = 64 << 10;  // the slowest that a long answer may go out

constexpr char kPagePolicy[] =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'";
// A report, and the frame that the page shows it in: its own script and style, nothing from
// anywhere, an origin of its own.
constexpr char kFramePolicy[] =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'";

std::string_view View(beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

// One connection: requests one after the other.
class WebServer::Connection final : public Session,
                                    public std::enable_shared_from_this<Connection> {
 public:
  Connection(Core& core, Tcp::socket peer)
      : core_(core),
        stream_(std::move(peer)),
        beat_(core.io),
        rate_(core.options.requests_per_second) {
    core_.sessions.insert(this);
    core_.Count([this](WebCounters& c) { ++c.connections, c.open = core_.Open(); });
  }
  ~Connection() override {
    Connection::Close();
    core_.sessions.erase(this);
    core_.OnGone();
  }

  bool waiting() const override { return state_ == State::kReading || state_ == State::kLingering; }
  std::uint64_t age() const override { return age_; }
  std::optional<MonoTime> UploadsSlowlySince(MonoTime now) const override {
    if (state_ != State::kBody || !upload_) return std::nullopt;
    const auto took = std::chrono::duration_cast<Milliseconds>(now - upload_->began());
    const bool slow =
        took >= kUploadBegins &&
        upload_->SlowerThan(core_.options.slowest_upload, std::max(took, Milliseconds(1'000)));
    return slow ? std::optional(upload_->began()) : std::nullopt;
  }
  void CutUpload() override {
    stream_.cancel();
    RefuseSlow();
  }

  void Read() {
    state_ = State::kReading;
    age_ = ++core_.age;
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

  void Tell(const Text& event) override {
    if (subscribed_ && state_ == State::kWorking) Push(*event);
  }

  void End() override {
    if (subscribed_) return Close();
    if (state_ == State::kWorking)
      FailJob({Errc::kCancelled, "the service ends; ask again when it is back"});
    else if (state_ != State::kWriting)
      Close();
  }

  void Close() override {
    if (state_ == State::kClosed) return;
    DropJob();
    if (std::exchange(subscribed_, false)) --core_.subscribers;
    state_ = State::kClosed;
    beat_.cancel();
    stream_.close();
  }

 private:
  enum class State { kReading, kQueued, kBody, kWorking, kWriting, kLingering, kClosed };

  void OnHeader(const BoostError& failed) {
    if (state_ == State::kClosed) return;
    if (!failed) return Handle();
    head_ = false;
    origin_.clear();
    OnBadRead(failed);
  }

  void OnBadRead(const BoostError& failed) {
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
        error.message = fmt::format("the recording is larger than {}",
                                    FormatBinary(core_.options.upload_limit));
        error.param = "file";
        error.code = "unsupported";
      }
      return RefuseUnread(error);
    }
    Close();
  }

  static const boost::system::error_category& ParseCategory() {
    static const BoostError any = http::error::bad_method;
    return any.category();
  }

  std::string_view Field(http::field name) const { return View(parser_->get()[name]); }

  void Handle() {
    core_.Count([](WebCounters& c) { ++c.requests; });
    const auto& request = parser_->get();
    const std::string_view target = View(request.target());
    keep_ = request.keep_alive();
    head_ = request.method() == http::verb::head;
    origin_.clear();
    policy_ = kPagePolicy;
    if (!rate_.Admit(SystemClock().Now())) {
      core_.Count([](WebCounters& c) { ++c.refused_rate; });
      WebError error =
          BadRequest(429, "rate_limit_exceeded", "too many requests on one connection");
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

  void Answer(const WebTarget& to) {
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

  void AnswerPreflight() {
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

  void HandOver(std::string client) {
    if (!ListHas(Field(http::field::upgrade), "websocket") ||
        !ListHas(Field(http::field::connection), "upgrade") || buffer_.size() > 0) {
      return RefuseUnread(BadRequest(buffer_.size() > 0 ? 400 : 426, "upgrade_required",
                                     "/v1/realtime is a WebSocket"));
    }
    core_.Count([](WebCounters& c) { ++c.realtime; });
    RealtimeRequest request(std::move(parser_->get().base()));
    auto seat = std::make_unique<SeatOf>(core_, std::move(client));
    state_ = State::kClosed;
    stream_.expires_never();
    SeatOf& place = *seat;
    ServeRealtime(std::move(stream_), std::move(request), core_.service, std::move(seat));
    if (core_.draining) place.Drain();
  }

  void BeginUpload(bool translate, Milliseconds waited = {}) {
    const auto boundary = MultipartReader::BoundaryOf(Field(http::field::content_type));
    if (!boundary) {
      return RefuseUnread(BadRequest(415, "not_a_form", boundary.error().what));
    }
    const ServiceState state = core_.service.State();
    if (!state.ready) return RefuseForService(NotReady(state));
    if (core_.uploads >= core_.options.most_uploads && !core_.MakeRoomForUpload()) {
      if (waited < core_.options.upload_wait) return WaitForRoom(translate, waited + kLookForRoom);
      return RefuseForService(FromService(
          {Errc::kBusy, fmt::format("{} recordings are on their way already", core_.uploads)},
          state));
    }
    const auto length = parser_->content_length();
    auto file = UploadFile::Make(core_.options.spool.empty() ? StateDir() : core_.options.spool,
                                 Bytes(length ? static_cast<std::int64_t>(*length) : 0),
                                 core_.options.upload_limit);
    if (!file) {
      if (file.error().code != Errc::kNoSpace)
        file.error() = {Errc::kIo, "there is no place to keep the recording in"};
      return RefuseUnread(FromService(file.error(), state));
    }
    upload_ = std::make_unique<UploadForm>(*boundary, translate, std::move(*file));
    ++core_.uploads;
    uploading_ = true;
    state_ = State::kBody;
    if (!ListHas(Field(http::field::expect), "100-continue")) return ReadBody();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    stream_.expires_after(core_.options.write_time);
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](const BoostError& failed, std::size_t) {
                        if (self->state_ != State::kBody) return;
                        if (failed) return self->Close();
                        self->ReadBody();
                      });
  }

  // Nothing is read meanwhile. Those that are in the way have to be fast or to go.
  void WaitForRoom(bool translate, Milliseconds waited) {
    state_ = State::kQueued;
    beat_.expires_after(kLookForRoom);
    beat_.async_wait([self = shared_from_this(), translate, waited](const BoostError&) {
      if (self->state_ == State::kQueued) self->BeginUpload(translate, waited);
    });
  }

  void ReadBody() {
    if (parser_->is_done()) return command_ ? Ask() : OnWholeForm();
    auto& body = parser_->get().body();
    piece_.resize(kPiece);
    body.data = piece_.data();
    body.size = piece_.size();
    stream_.expires_after(core_.options.body_time);
    http::async_read_some(stream_, buffer_, *parser_,
                          [self = shared_from_this()](const BoostError& failed, std::size_t) {
                            self->OnBody(failed);
                          });
  }

  void OnBody(const BoostError& failed) {
    if (state_ != State::kBody) return;
    if (failed && failed != http::error::need_buffer) return OnBadRead(failed);
    const std::string_view got =
        std::string_view(piece_).substr(0, piece_.size() - parser_->get().body().size);
    if (command_) return OnCommandBody(got);
    if (const auto wrong = upload_->Feed(got)) return RefuseUnread(*wrong);
    const auto took =
        std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - upload_->began());
    if (took > core_.options.body_time && upload_->SlowerThan(core_.options.slowest_upload, took))
      return RefuseSlow();
    ReadBody();
  }

  void RefuseSlow() {
    core_.Count([](WebCounters& c) { ++c.timed_out; });
    RefuseUnread(
        BadRequest(408, "too_slow",
                   fmt::format("slower than {} bytes in a second", core_.options.slowest_upload)));
  }

  void OnWholeForm() {
    const ServiceState state = core_.service.State();
    if (const auto bad = upload_->Finish(state.models)) return Refuse(*bad);
    auto file = upload_->Take();
    if (!file) return Refuse(FromService(file.error(), state));
    core_.Count([size = upload_->size().n](WebCounters& c) {
      ++c.uploads, c.upload_bytes += static_cast<std::uint64_t>(size);
    });
    StartJob(std::move(*file), upload_->form());
  }

  // ---- events ----

  void BeginEvents() {
    if (core_.subscribers >= core_.options.most_subscribers)
      return RefuseForService(
          FromService({Errc::kBusy, "too many follow the events already"}, core_.service.State()));
    state_ = State::kWorking;
    subscribed_ = true;
    ++core_.subscribers;
    WatchPeer();
    Beat();
    auto status = core_.service.Inspect("status");
    if (status) std::ranges::replace(*status, '\n', ' ');  // an event's data is one line
    Push(status ? fmt::format("id: {}\nevent: status\ndata: {}\n\n", core_.next_event++, *status)
                : std::string(":\n\n"));
  }

  // ---- commands ----

  // What changes something is for our own page and for programs, never for a page of another site.
  void BeginCommand(const WebTarget& to) {
    const bool changes = to.method != "GET";
    WebError error;
    const bool history = to.name.starts_with("/v1/history");
    if (!core_.control || (history && !core_.options.history)) {
      error.status = 404;
      error.message = history ? "texts are not shown to the network (server.history)"
                              : "nothing can be managed here";
      error.code = "unknown_url";
      return RefuseUnread(error);
    }
    if ((changes || history) && !origin_.empty()) {
      core_.Count([](WebCounters& c) { ++c.refused_site; });
      error.status = 403;
      error.message = "a page of another site may not do this";
      error.code = "forbidden_site";
      return RefuseUnread(error);
    }
    const std::string_view type = Field(http::field::content_type);
    if (to.method == "POST" && type != "application/json" &&
        !type.starts_with("application/json;")) {
      error.status = 415;
      error.message = "the body has to be application/json";
      error.code = "not_json";
      return RefuseUnread(error);
    }
    command_.emplace(Command{to.method, to.name, ""});
    state_ = State::kBody;
    ReadBody();
  }

  void OnCommandBody(std::string_view bytes) {
    if (command_->body.size() + bytes.size() <= kMostCommand) {
      command_->body += bytes;
      return ReadBody();
    }
    RefuseUnread(BadRequest(413, "malformed", "the body is longer than any command"));
  }

  void Ask() {
    const Command command = *std::exchange(command_, std::nullopt);
    const Route route = FindRoute(command.method, command.target, command.body);
    if (const auto* refusal = std::get_if<Refusal>(&route))
      return Refuse(FromControl(refusal->error, refusal->status, core_.service.State()));
    state_ = State::kWorking;
    policy_ = kFramePolicy;
    stream_.expires_never();
    WatchPeer();
    const std::uint64_t turn = ++turn_;
    beat_.expires_after(core_.options.command_time);
    beat_.async_wait([self = shared_from_this(), turn](const BoostError& cancelled) {
      if (!cancelled) self->OnAnswer(turn, Fail(Errc::kTimeout, "the service did not answer"));
    });
    std::get<Call>(route)(*core_.control,
                          api::Answer([core = core_.weak_from_this(), weak = weak_from_this(),
                                       turn](Result<nlohmann::json> result) {
                            const auto alive = core.lock();
                            if (!alive) return;
                            asio::post(alive->io, [weak, turn, result = std::move(result)] {
                              if (const auto self = weak.lock()) self->OnAnswer(turn, result);
                            });
                          }));
  }

  void OnAnswer(std::uint64_t turn, const Result<nlohmann::json>& result) {
    if (turn_ != turn || state_ != State::kWorking) return;
    EndJob();
    if (result && result->contains("html"))
      return Send(200, "text/html; charset=utf-8", result->at("html").get<std::string>());
    if (result) return Send(200, "application/json", Dump(*result) + '\n');
    Refuse(FromControl(result.error(), HttpStatus(result.error().code), core_.service.State()));
  }

  // ---- a recording's text ----

  void StartJob(Fd recording, TranscriptionForm form) {
    EndUpload();
    piece_ = {};
    state_ = State::kWorking;
    streams_ = form.stream;
    answer_ = std::make_unique<TranscriptionAnswer>(form, core_.options.answer_limit);
    // The job ends with this session or before, and the session before `io`.
    feed_ = std::make_shared<JobFeed>(
        core_.options.answer_limit, [weak = weak_from_this(), turn = turn_, &io = core_.io] {
          asio::post(io, [weak, turn] {
            if (const auto self = weak.lock(); self && self->turn_ == turn) self->TakeFeed();
          });
        });
    stream_.expires_never();
    WatchPeer();
    if (streams_) Beat();
    job_ = core_.service.Transcribe(std::move(recording), form.request, JobFeed::EventsInto(feed_));
  }

  void DropJob() {
    ++turn_;
    command_.reset();
    feed_.reset();
    job_.reset();
    EndUpload();
  }

  void EndUpload() {
    upload_.reset();
    if (std::exchange(uploading_, false)) --core_.uploads;
  }

  void TakeFeed() {
    if (state_ != State::kWorking) return;
    const auto [segments, end] = feed_->Take();
    for (const speech::Segment& segment : segments) {
      auto text = answer_->Add(segment);
      if (!text) return FailJob(text.error());
      if (!text->empty()) Push(std::move(*text));
      if (state_ == State::kClosed) return;
    }
    if (!end) return;
    if (!*end) return FailJob(end->error());
    auto text = answer_->End(**end);
    if (!text) return FailJob(text.error());
    EndJob();
    if (streams_) return Push(std::move(*text), true);
    Send(200, answer_->content_type(), std::move(*text));
  }

  void EndJob() {
    DropJob();
    BoostError none;
    static_cast<void>(stream_.socket().cancel(none));  // the watch
    beat_.cancel();
    state_ = State::kWriting;
  }

  void FailJob(const Error& why) {
    EndJob();
    const WebError error = FromService(why, core_.service.State());
    if (error.retry_after_s > 0) core_.Count([](WebCounters& c) { ++c.refused_busy; });
    if (streaming_) return Push(ServerSentError(error), true);
    Refuse(error);
  }

  // Nothing is expected of a client that waits for its text, so whatever can be read is its end.
  void WatchPeer() {
    stream_.socket().async_wait(
        Tcp::socket::wait_read, [self = shared_from_this()](const BoostError& failed) {
          if (failed || self->state_ != State::kWorking) return;
          char byte = 0;
          const ssize_t count =
              ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
          if (count < 0 && (errno == EAGAIN || errno == EINTR)) return self->WatchPeer();
          self->core_.Count([](WebCounters& c) { ++c.vanished; });
          self->Close();
        });
  }

  // So that a stream without words is not taken for a dead one.
  void Beat() {
    beat_.expires_after(core_.options.keep_alive);
    beat_.async_wait([weak = weak_from_this()](const BoostError& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self || self->state_ != State::kWorking) return;
      self->Push(":\n\n");
      if (self->state_ == State::kWorking) self->Beat();
    });
  }

  // One more piece of an event stream; with the first one goes its head.
  void Push(std::string text, bool last = false) {
    if (state_ == State::kClosed) return;
    if (!std::exchange(streaming_, true)) {
      std::string head =
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
          "X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\nConnection: close\r\n";
      if (!origin_.empty())
        head += fmt::format("Access-Control-Allow-Origin: {}\r\nVary: Origin\r\n", origin_);
      text = head + "\r\n" + text;
    }
    if (last) last_ = true;
    if (queue_bytes_ + static_cast<std::int64_t>(text.size()) > core_.options.bytes_waiting.n) {
      core_.Count([](WebCounters& c) { ++c.slow_readers; });
      return Close();
    }
    queue_bytes_ += static_cast<std::int64_t>(text.size());
    queue_.push_back(std::make_shared<const std::string>(std::move(text)));
    if (queue_.size() == 1) WriteNext();
  }

  void WriteNext() {
    stream_.expires_after(core_.options.write_time);
    asio::async_write(
        stream_, asio::buffer(*queue_.front()),
        [self = shared_from_this(), text = queue_.front()](const BoostError& failed, std::size_t) {
          if (self->state_ == State::kClosed) return;
          if (failed) {
            self->core_.Count([&](WebCounters& c) {
              ++(failed == beast::error::timeout ? c.slow_readers : c.vanished);
            });
            return self->Close();
          }
          self->queue_.pop_front();
          self->queue_bytes_ -= static_cast<std::int64_t>(text->size());
          if (!self->queue_.empty()) return self->WriteNext();
          self->stream_.expires_never();
          if (self->last_) self->Close();
        });
  }

  void RefuseForService(const WebError& error) {
    core_.Count([](WebCounters& c) { ++c.refused_busy; });
    RefuseUnread(error);
  }
  // The request has perhaps not been read to its end.
  void RefuseUnread(const WebError& error) {
    keep_ = false;
    unread_ = true;
    Refuse(error);
  }
  void Refuse(const WebError& error) {
    Send(error.status, "application/json", error.Json(), error.retry_after_s, error.allow,
         error.authenticate);
  }

  void Send(unsigned status, std::string_view type, std::string body, int retry_after_s = 0,
            const std::string& allow = "", bool authenticate = false) {
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

  void Write(http::response<http::string_body> made) {
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
    keep_ = keep_ && !core_.ending;
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

  void OnWritten(const BoostError& failed) {
    if (state_ == State::kClosed) return;
    if (failed == beast::error::timeout) core_.Count([](WebCounters& c) { ++c.timed_out; });
    if (failed || core_.ending) return Close();
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

  void Linger() {
    stream_.async_read_some(buffer_.prepare(kPiece / 4),
                            [self = shared_from_this()](const BoostError& failed, std::size_t) {
                              if (self->state_ == State::kClosed) return;
                              if (failed) return self->Close();
                              self->Linger();
                            });
  }

  Core& core_;
  beast::tcp_stream stream_;
  asio::steady_timer beat_;
  RateLimit rate_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::buffer_body>> parser_;
  State state_ = State::kReading;
  bool keep_ = true, head_ = false;
  bool unread_ = false;               // something of the last request may still come
  const char* policy_ = kPagePolicy;  // of an answer in HTML
  std::string origin_;                // of another site's page that may read the answer
  std::uint64_t age_ = 0;

  struct Command {
    std::string method, target, body;  // of the control socket's route
  };
  std::optional<Command> command_;  // on its way in
  std::uint64_t turn_ = 0;          // which answer is waited for
  std::string piece_;               // of a body; stays while a read into it may be going on
  std::unique_ptr<UploadForm> upload_;
  bool uploading_ = false;  // counted in core_.uploads
  std::shared_ptr<JobFeed> feed_;
  std::unique_ptr<TranscriptionAnswer> answer_;
  std::unique_ptr<TranscriptionJob> job_;

  bool subscribed_ = false;  // follows the events; counted in core_.subscribers
  bool streams_ = false;     // the client wants events
  bool streaming_ = false;   // and has their head
  bool last_ = false;        // the last one is in the queue
  std::deque<Text> queue_;   // the front one is being written
  std::int64_t queue_bytes_ = 0;
};

void WebServer::Core::Serve(Tcp::socket peer) {
  std::make_shared<Connection>(*this, std::move(peer))->Read();
}

}  // namespace headroom::api
