// What a connection of the HTTP server does once its request is there: follow the events, manage
// the service, wait for a recording's text. No Beast is called here.
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "net/control/route.h"
#include "net/http/web_route.h"
#include "net/http/web_session.h"

namespace headroom::net {
namespace {

constexpr std::size_t kMostCommand = 4 << 10;  // its body

}  // namespace

// ---- events ----

void WebServer::HttpSession::BeginEvents() {
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

// One more piece of an event stream; with the first one goes its head.
void WebServer::HttpSession::Push(std::string text, bool last) {
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

void WebServer::HttpSession::WriteNext() {
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

// So that a stream without words is not taken for a dead one.
void WebServer::HttpSession::Beat() {
  beat_.expires_after(core_.options.keep_alive);
  beat_.async_wait([weak = weak_from_this()](const BoostError& cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->state_ != State::kWorking) return;
    self->Push(":\n\n");
    if (self->state_ == State::kWorking) self->Beat();
  });
}

// ---- commands ----

// What changes something is for our own page and for programs, never for a page of another site.
void WebServer::HttpSession::BeginCommand(const WebTarget& to) {
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
  if (to.method == "POST" && type != "application/json" && !type.starts_with("application/json;")) {
    error.status = 415;
    error.message = "the body has to be application/json";
    error.code = "not_json";
    return RefuseUnread(error);
  }
  command_.emplace(Command{to.method, to.name, ""});
  state_ = State::kBody;
  ReadBody();
}

void WebServer::HttpSession::OnCommandBody(std::string_view bytes) {
  if (command_->body.size() + bytes.size() <= kMostCommand) {
    command_->body += bytes;
    return ReadBody();
  }
  RefuseUnread(BadRequest(413, "malformed", "the body is longer than any command"));
}

void WebServer::HttpSession::Ask() {
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
  std::get<Call>(route)(
      *core_.control, net::Answer([core = core_.weak_from_this(), weak = weak_from_this(),
                                   turn](Result<nlohmann::json> result) {
        const auto alive = core.lock();
        if (!alive) return;
        asio::post(alive->connections.io(), [weak, turn, result = std::move(result)] {
          if (const auto self = weak.lock()) self->OnAnswer(turn, result);
        });
      }));
}

void WebServer::HttpSession::OnAnswer(std::uint64_t turn, const Result<nlohmann::json>& result) {
  if (turn_ != turn || state_ != State::kWorking) return;
  EndJob();
  if (result && result->contains("html"))
    return Send(200, "text/html; charset=utf-8", result->at("html").get<std::string>());
  if (result) return Send(200, "application/json", Dump(*result) + '\n');
  Refuse(FromControl(result.error(), HttpStatus(result.error().code), core_.service.State()));
}

// ---- a recording's text ----

void WebServer::HttpSession::StartJob(Fd recording, TranscriptionForm form) {
  EndUpload();
  piece_ = {};
  state_ = State::kWorking;
  streams_ = form.stream;
  answer_ = std::make_unique<TranscriptionAnswer>(form, core_.options.answer_limit);
  // The job ends with this session or before, and the session before `io`.
  feed_ = std::make_shared<JobFeed>(
      core_.options.answer_limit,
      [weak = weak_from_this(), turn = turn_, &io = core_.connections.io()] {
        asio::post(io, [weak, turn] {
          if (const auto self = weak.lock(); self && self->turn_ == turn) self->TakeFeed();
        });
      });
  stream_.expires_never();
  WatchPeer();
  if (streams_) Beat();
  auto job =
      core_.service.Transcribe(std::move(recording), form.request, JobFeed::EventsInto(feed_));
  if (!job) return FailJob(job.error());
  job_ = std::move(*job);
}

void WebServer::HttpSession::DropJob() {
  ++turn_;
  command_.reset();
  feed_.reset();
  job_.reset();
  EndUpload();
}

void WebServer::HttpSession::EndUpload() {
  upload_.reset();
  if (std::exchange(uploading_, false)) --core_.uploads;
}

void WebServer::HttpSession::TakeFeed() {
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

void WebServer::HttpSession::EndJob() {
  DropJob();
  BoostError none;
  static_cast<void>(stream_.socket().cancel(none));  // the watch
  beat_.cancel();
  state_ = State::kWriting;
}

void WebServer::HttpSession::FailJob(const Error& why) {
  EndJob();
  const WebError error = FromService(why, core_.service.State());
  if (error.retry_after_s > 0) core_.Count([](WebCounters& c) { ++c.refused_busy; });
  if (streaming_) return Push(ServerSentError(error), true);
  Refuse(error);
}

// Nothing is expected of a client that waits for its text, so whatever can be read is its end.
void WebServer::HttpSession::WatchPeer() {
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

}  // namespace headroom::net
