// One of the few files with Beast in them: each takes most of a minute to compile.
#include "api/web_server.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "api/multipart.h"
#include "api/realtime_socket.h"
#include "api/tokens.h"
#include "api/transcription_answer.h"
#include "api/upload_file.h"
#include "api/web_access.h"
#include "api/web_route.h"
#include "api/web_tls.h"
#include "base/dirs.h"
#include "base/text.h"

namespace headroom::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using BoostError = boost::system::error_code;
using Text = std::shared_ptr<const std::string>;

constexpr Milliseconds kFarewell{500};      // for answers on their way when the server ends
constexpr Milliseconds kAcceptAgain{200};   // after running out of descriptors
constexpr Milliseconds kLinger{2'000};      // for a client to see why it was refused
constexpr Milliseconds kUploadBegins{500};  // until its speed is judged
constexpr Milliseconds kLookForRoom{100};
constexpr std::size_t kPiece = 64 << 10;  // of a body
constexpr std::size_t kMostField = 64 << 10;
constexpr Bytes kFormBytes = MiB(1);                // what a form may have beside the recording
constexpr std::size_t kWritesPerSecond = 64 << 10;  // the slowest that a long answer may go out

std::string_view View(beast::string_view text) {
  return {text.data(), text.size()};
}

// What a job says on its threads, until the server's thread takes it.
struct Feed {
  std::mutex mutex;
  std::vector<speech::Segment> segments;
  std::int64_t bytes = 0;
  std::optional<Result<JobEvents::Outcome>> end;
  bool posted = false;  // somebody is on the way to take it
};

}  // namespace

// Everything but the counters belongs to the server's thread.
struct WebServer::Core : std::enable_shared_from_this<WebServer::Core> {
  Core(WebOptions with, SpeechService& to, ListenAddress at, std::unique_ptr<TlsDoor> door)
      : options(std::move(with)),
        service(to),
        listen(at),
        tls(std::move(door)),
        rules(listen, options.hosts, options.origins, tls != nullptr),
        gate(options.tokens, !listen.address.is_loopback()) {}

  Result<> Begin();
  void Accept();
  void OnAccept(const BoostError& failed, Tcp::socket peer);
  bool MakeRoom();
  bool MakeRoomForUpload();
  void Sweep();
  void End();
  void Run();
  void OnGone() {
    Count([this](WebCounters& c) { c.open = Open(); });
    if (running && ending && Open() == 0 && relays == 0) farewell.cancel();
  }
  std::size_t Open() const { return sessions.size() + seats.size(); }

  template <class Change>
  void Count(Change change) {
    const std::lock_guard guard(mutex);
    change(counters);
  }
  WebCounters Counters() {
    const std::lock_guard guard(mutex);
    return counters;
  }

  const WebOptions options;
  SpeechService& service;
  const ListenAddress listen;
  const std::unique_ptr<TlsDoor> tls;  // nullptr: plain text
  const SiteRules rules;
  TokenGate gate;
  std::mutex mutex;
  WebCounters counters;         // guarded by mutex
  std::set<Session*> sessions;  // each takes itself out; outlives `io`, whose handlers own them
  std::set<SeatOf*> seats;      // the same
  std::size_t relays = 0;       // of `tls`, which outlive their sessions a little
  asio::io_context io{1};
  Tcp::acceptor acceptor{io};
  asio::steady_timer accept_again{io}, sweep{io}, farewell{io};
  std::uint16_t port = 0;
  bool running = false;  // the thread; false again once it has been joined
  bool ending = false;
  std::uint64_t age = 0;  // grows with each wait for a request: the smallest waits longest
  std::size_t uploads = 0;
  std::thread thread;
};

// A realtime socket's place.
class WebServer::SeatOf : public Seat {
 public:
  SeatOf(Core& core, std::string client) : core_(core), client_(std::move(client)) {
    core_.seats.insert(this);
  }
  ~SeatOf() override {
    core_.seats.erase(this);
    core_.OnGone();
  }
  void OnSlowReader() override {
    core_.Count([](WebCounters& c) { ++c.slow_readers; });
  }
  const std::string& client() const { return client_; }
  void End() {
    if (const auto once = std::exchange(on_end, nullptr)) once();
  }

 private:
  Core& core_;
  const std::string client_;
};

// One connection: requests one after the other.
class WebServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Core& core, Tcp::socket peer)
      : core_(core),
        stream_(std::move(peer)),
        beat_(core.io),
        rate_(core.options.requests_per_second) {
    core_.sessions.insert(this);
    core_.Count([this](WebCounters& c) { ++c.connections, c.open = core_.Open(); });
  }
  ~Session() {
    Close();
    core_.sessions.erase(this);
    core_.OnGone();
  }

  bool waiting() const { return state_ == State::kReading || state_ == State::kLingering; }
  std::uint64_t age() const { return age_; }
  /// Since when it sends its recording; nullopt: it does not, or fast enough.
  std::optional<MonoTime> UploadsSlowlySince(MonoTime now) const {
    if (state_ != State::kBody) return std::nullopt;
    const auto took = std::chrono::duration_cast<Milliseconds>(now - upload_->began);
    const bool slow =
        took >= kUploadBegins &&
        upload_->SlowerThan(core_.options.slowest_upload, std::max(took, Milliseconds(1'000)));
    return slow ? std::optional(upload_->began) : std::nullopt;
  }

  void Read() {
    state_ = State::kReading;
    age_ = ++core_.age;
    upload_.reset();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_.options.header_limit.n));
    parser_->body_limit(static_cast<std::uint64_t>((core_.options.upload_limit + kFormBytes).n));
    stream_.expires_after(core_.options.header_time);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](const BoostError& failed, std::size_t) {
                              self->OnHeader(failed);
                            });
  }

  // Its place is for somebody faster.
  void CutUpload() {
    stream_.cancel();
    RefuseSlow();
  }

  // An answer on its way is still sent.
  void End() {
    if (state_ == State::kWorking)
      FailJob({Errc::kCancelled, "the service ends; ask again when it is back"});
    else if (state_ != State::kWriting)
      Close();
  }

  void Close() {
    if (state_ == State::kClosed) return;
    DropJob();
    state_ = State::kClosed;
    beat_.cancel();
    stream_.close();
  }

 private:
  enum class State { kReading, kQueued, kBody, kWorking, kWriting, kLingering, kClosed };

  // A form on its way in.
  struct Upload {
    Upload(const std::string& boundary, bool translate, UploadFile into)
        : form(translate), file(std::move(into)), reader(boundary, Sink()), chunk(kPiece, '\0') {}

    FormSink Sink() {
      return {[this](const FormPart& part) { return OnPart(part); },
              [this](std::string_view bytes) { return OnBytes(bytes); },
              [this] { return OnPartEnd(); }};
    }
    Result<> OnPart(const FormPart& part) {
      name = part.name;
      value.clear();
      in_file = name == "file";
      if (!in_file) return {};
      if (std::exchange(has_file, true))
        return Wrong(BadField("file", "file came twice", "duplicate"));
      if (!part.is_file)
        return Wrong(
            BadField("file", "file has to be a file: filename is missing", "invalid_file"));
      return {};
    }
    Result<> OnBytes(std::string_view bytes) {
      if (in_file) {
        auto kept = file.Append(bytes);
        if (kept) return {};
        WebError error = BadField("file", kept.error().what, std::string(Name(kept.error().code)));
        error.status = kept.error().code == Errc::kUnsupported ? 413 : 507;
        if (error.status == 507) error.type = "server_error";
        return Wrong(std::move(error));
      }
      if (value.size() + bytes.size() > kMostField)
        return Wrong(BadField(Printable(name).substr(0, 100), "the field is too long", "too_long"));
      value += bytes;
      return {};
    }
    Result<> OnPartEnd() {
      if (in_file) return {};
      if (auto bad = form.Add(name.substr(0, 200), value)) return Wrong(std::move(*bad));
      return {};
    }
    bool SlowerThan(std::int64_t bytes_per_second, Milliseconds took) const {
      return received < took.count() * bytes_per_second / 1000;
    }
    std::unexpected<Error> Wrong(WebError error) {
      wrong = std::move(error);
      return Fail(Errc::kInvalid, "{}", wrong->message);
    }

    FormReader form;
    UploadFile file;
    MultipartReader reader;
    std::string chunk, name, value;  // of the part that is being read
    bool in_file = false, has_file = false;
    std::optional<WebError> wrong;  // why the reader was stopped
    std::int64_t received = 0;
    MonoTime began = SystemClock().Now();
  };

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
      WebError error;
      error.message = failed.message();
      error.code = "malformed";
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
    if (!rate_.Admit(SystemClock().Now())) {
      core_.Count([](WebCounters& c) { ++c.refused_rate; });
      WebError error;
      error.status = 429;
      error.message = "too many requests on one connection";
      error.type = "rate_limit_error";
      error.code = "rate_limit_exceeded";
      error.retry_after_s = 1;
      return RefuseUnread(error);
    }
    const bool one_host = request.count(http::field::host) == 1;
    const std::string_view origin = Field(http::field::origin);
    if (const auto why = core_.rules.Refuses({one_host ? Field(http::field::host) : "", origin,
                                              View(request["Sec-Fetch-Site"]), target == "/"})) {
      core_.Count([](WebCounters& c) { ++c.refused_site; });
      WebError error;
      error.status = 403;
      error.message = *why;
      error.code = "forbidden_site";
      return RefuseUnread(error);
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
        WebError error;
        error.status = 401;
        error.message = admitted.error().what;
        error.code = "invalid_api_key";
        error.authenticate = true;
        return RefuseUnread(error);
      }
      client = std::move(*admitted);
    }
    if (!to) return RefuseUnread(std::get<WebError>(found));
    if (to->route == WebRoute::kTranscribe || to->route == WebRoute::kTranslate)
      return BeginUpload(to->route == WebRoute::kTranslate);
    if (!parser_->is_done()) {
      WebError error;
      error.message = "this route takes no body";
      return RefuseUnread(error);
    }
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
        WebError error;
        error.status = 404;
        error.message = "there is no such part of the service";
        error.code = "unknown_url";
        return Refuse(error);
      }
      default: {
        const PageFile* file = FindPageFile(to.name);
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
      WebError error;
      error.status = buffer_.size() > 0 ? 400 : 426;
      error.message = "/v1/realtime is a WebSocket";
      error.code = "upgrade_required";
      return RefuseUnread(error);
    }
    core_.Count([](WebCounters& c) { ++c.realtime; });
    RealtimeRequest request(std::move(parser_->get().base()));
    auto seat = std::make_unique<SeatOf>(core_, std::move(client));
    state_ = State::kClosed;
    stream_.expires_never();
    ServeRealtime(std::move(stream_), std::move(request), core_.service, std::move(seat));
  }

  void BeginUpload(bool translate, Milliseconds waited = {}) {
    const auto boundary = MultipartReader::BoundaryOf(Field(http::field::content_type));
    if (!boundary) {
      WebError error;
      error.status = 415;
      error.message = boundary.error().what;
      error.code = "not_a_form";
      return RefuseUnread(error);
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
    upload_ = std::make_shared<Upload>(*boundary, translate, std::move(*file));
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
    if (parser_->is_done()) return OnWholeForm();
    auto& body = parser_->get().body();
    body.data = upload_->chunk.data();
    body.size = upload_->chunk.size();
    stream_.expires_after(core_.options.body_time);
    http::async_read_some(stream_, buffer_, *parser_,
                          [self = shared_from_this(), upload = upload_](
                              const BoostError& failed, std::size_t) { self->OnBody(failed); });
  }

  void OnBody(const BoostError& failed) {
    if (state_ != State::kBody) return;
    if (failed && failed != http::error::need_buffer) return OnBadRead(failed);
    Upload& upload = *upload_;
    const std::size_t got = upload.chunk.size() - parser_->get().body().size;
    upload.received += static_cast<std::int64_t>(got);
    const auto took = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - upload.began);
    if (took > core_.options.body_time && upload.SlowerThan(core_.options.slowest_upload, took))
      return RefuseSlow();
    const auto fed = upload.reader.Feed(std::string_view(upload.chunk).substr(0, got));
    if (!fed) return RefuseUnread(upload.wrong ? *upload.wrong : NotAForm(fed.error()));
    ReadBody();
  }

  void RefuseSlow() {
    core_.Count([](WebCounters& c) { ++c.timed_out; });
    WebError error;
    error.status = 408;
    error.message = fmt::format("slower than {} bytes in a second", core_.options.slowest_upload);
    error.code = "too_slow";
    RefuseUnread(error);
  }

  static WebError NotAForm(const Error& why) {
    WebError error;
    error.message = why.what;
    error.code = "malformed";
    return error;
  }

  void OnWholeForm() {
    Upload& upload = *upload_;
    if (const auto whole = upload.reader.Finish(); !whole) return Refuse(NotAForm(whole.error()));
    const ServiceState state = core_.service.State();
    if (auto bad = upload.form.Finish(state.models)) return Refuse(*bad);
    if (!upload.has_file || upload.file.size().n == 0) {
      return Refuse(BadField("file", upload.has_file ? "the file is empty" : "there is no file",
                             "invalid_file"));
    }
    auto file = upload.file.Take();
    if (!file) return Refuse(FromService(file.error(), state));
    core_.Count([&](WebCounters& c) {
      ++c.uploads, c.upload_bytes += static_cast<std::uint64_t>(upload.file.size().n);
    });
    StartJob(std::move(*file), upload.form.form());
  }

  void StartJob(Fd recording, TranscriptionForm form) {
    EndUpload();
    state_ = State::kWorking;
    streams_ = form.stream;
    answer_ = std::make_unique<TranscriptionAnswer>(form, core_.options.answer_limit);
    feed_ = std::make_shared<Feed>();
    stream_.expires_never();
    WatchPeer();
    if (streams_) Beat();
    // The job ends with this session or before, and the session before `io`.
    const auto post = [weak = weak_from_this(), feed = feed_, &io = core_.io] {
      if (std::exchange(feed->posted, true)) return;
      asio::post(io, [weak, feed] {
        if (const auto self = weak.lock(); self && self->feed_ == feed) self->TakeFeed();
      });
    };
    JobEvents events;
    events.on_segment = [feed = feed_, post,
                         limit = core_.options.answer_limit.n](const speech::Segment& segment) {
      const std::lock_guard guard(feed->mutex);
      if (feed->bytes > limit) return;  // the answer will say so
      feed->bytes += 100 + static_cast<std::int64_t>(segment.text.size() * 3);
      feed->segments.push_back(segment);
      post();
    };
    events.on_end = [feed = feed_, post](Result<JobEvents::Outcome> outcome) {
      const std::lock_guard guard(feed->mutex);
      feed->end = std::move(outcome);
      post();
    };
    job_ = core_.service.Transcribe(std::move(recording), form.request, std::move(events));
  }

  void DropJob() {
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
    std::vector<speech::Segment> segments;
    std::optional<Result<JobEvents::Outcome>> end;
    {
      const std::lock_guard guard(feed_->mutex);
      feed_->posted = false;
      segments.swap(feed_->segments);
      end.swap(feed_->end);
      if (feed_->bytes > core_.options.answer_limit.n)
        end = Fail(Errc::kUnsupported, "the text is longer than one answer may be");
      feed_->bytes = 0;
    }
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
    if (type.starts_with("text/html"))
      response.set("Content-Security-Policy",
                   "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
                   "base-uri 'none'; form-action 'self'");
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
  bool unread_ = false;  // something of the last request may still come
  std::string origin_;   // of another site's page that may read the answer
  std::uint64_t age_ = 0;

  std::shared_ptr<Upload> upload_;  // also of a read that is going on
  bool uploading_ = false;          // counted in core_.uploads
  std::shared_ptr<Feed> feed_;
  std::unique_ptr<TranscriptionAnswer> answer_;
  std::unique_ptr<TranscriptionJob> job_;

  bool streams_ = false;    // the client wants events
  bool streaming_ = false;  // and has their head
  bool last_ = false;       // the last one is in the queue
  std::deque<Text> queue_;  // the front one is being written
  std::int64_t queue_bytes_ = 0;
};

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
    std::make_shared<Session>(*this, std::move(peer))->Read();
  }
  Accept();
}

// Closes the connection that has waited longest for a request.
bool WebServer::Core::MakeRoom() {
  Session* oldest = nullptr;
  for (Session* session : sessions) {
    if (session->waiting() && (!oldest || session->age() < oldest->age())) oldest = session;
  }
  if (!oldest) return false;
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

// A realtime socket whose token was revoked does not live on.
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
    Sweep();
  });
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

Result<std::unique_ptr<WebServer>> WebServer::Start(WebOptions options, SpeechService& service) {
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
  auto core = std::make_shared<Core>(std::move(options), service, listen, std::move(tls));
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

std::uint16_t WebServer::port() const {
  return core_->port;
}

WebCounters WebServer::counters() const {
  return core_->Counters();
}

}  // namespace headroom::api
