// One of the few files with Beast in them: they take most of a minute to compile.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <deque>

#include "net/control/control.h"
#include "net/control/route.h"
#include "net/server/connection_server.h"
#include "net/server/local_socket.h"

namespace headroom::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Protocol = asio::local::stream_protocol;
using Text = std::shared_ptr<const std::string>;

constexpr std::size_t kMostPosted = 4096;  // events on their way to the server's thread

constexpr char kStreamHead[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

}  // namespace

// Everything but `posted`, `subscribers` and `counters` belongs to the server's thread.
struct ControlServer::Core final : std::enable_shared_from_this<ControlServer::Core>,
                                   ConnectionServer::Owner {
  Core(ServerOptions with, ControlService& to, LocalSocket on)
      : options(std::move(with)), service(to), socket(std::move(on)) {}

  Result<> Begin();
  bool MayConnect(int peer) override;
  void Serve(Fd peer) override;
  void OnEnd() override { keep_alive.cancel(); }
  void KeepAlive();
  void ToSubscribers(const std::string& name, const Text& event);

  template <class Change>
  void Count(Change change) {
    counters.Count(change);
  }
  ServerCounters Counters() const {
    ServerCounters now = counters.Now();
    static_cast<ConnectionCounters&>(now) = connections.counters();
    now.subscribers = subscribers;
    return now;
  }

  const ServerOptions options;
  ControlService& service;
  std::optional<LocalSocket> socket;
  YieldId last_yield = 0;
  RecognitionId last_recognition = 0;
  Counted<ServerCounters> counters;
  std::atomic<std::uint64_t> next_event{1};
  std::atomic<std::size_t> posted{0};
  std::atomic<std::size_t> subscribers{0};
  ConnectionServer connections{*this, options.most_connections};
  asio::steady_timer keep_alive{connections.io()};
};

// One connection: requests one after the other, until one of them opens a stream.
class ControlServer::Session final : public ConnectionServer::Connection,
                                     public std::enable_shared_from_this<Session> {
 public:
  Session(Core& core, Protocol::socket peer)
      : Connection(core.connections),
        core_(core),
        stream_(std::move(peer)),
        answer_timer_(core.connections.io()) {}
  ~Session() override { Session::Close(); }

  bool idle() const override { return state_ == State::kReading; }
  bool streaming() const { return state_ == State::kStreaming; }
  bool Wants(const std::string& name) const {
    return streaming() && yield_ == 0 &&
           (only_.empty() || std::ranges::find(only_, name) != only_.end());
  }

  void Read() {
    state_ = State::kReading;
    Touch();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_.options.header_limit.n));
    parser_->body_limit(static_cast<std::uint64_t>(core_.options.body_limit.n));
    stream_.expires_after(core_.options.request_time);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const BoostError& failed, std::size_t) {
                       self->OnRead(failed);
                     });
  }

  // Sends one more piece of an open stream, or drops a client that does not read.
  void Push(const Text& text) {
    if (state_ != State::kStreaming) return;
    if (queue_.size() >= core_.options.events_waiting ||
        queue_bytes_ + static_cast<std::int64_t>(text->size()) > core_.options.bytes_waiting.n) {
      core_.Count([](ServerCounters& c) { ++c.slow_readers; });
      Close();
      return;
    }
    queue_.push_back(text);
    queue_bytes_ += static_cast<std::int64_t>(text->size());
    if (queue_.size() == 1) WriteNext();
  }

  // An answer on its way is still sent.
  void End() override {
    if (state_ != State::kWriting) Close();
  }

  void Close() override {
    if (state_ == State::kClosed) return;
    if (yield_ != 0) {
      core_.service.EndYield(std::exchange(yield_, 0));
    } else if (recognition_ != 0) {
      core_.service.EndRecognition(std::exchange(recognition_, 0));
    } else if (state_ == State::kStreaming) {
      --core_.subscribers;
    }
    state_ = State::kClosed;
    ++turn_;
    answer_timer_.cancel();
    stream_.close();
  }

 private:
  enum class State { kReading, kAsking, kWriting, kStreaming, kClosed };

  void OnRead(const BoostError& failed) {
    if (state_ == State::kClosed) return;
    if (!failed) return Handle();
    if (failed == beast::error::timeout) {
      core_.Count([](ServerCounters& c) { ++c.timed_out; });
    } else if (failed != http::error::end_of_stream && failed.category() == ParseCategory()) {
      core_.Count([](ServerCounters& c) { ++c.bad_requests; });
      const unsigned status = failed == http::error::header_limit ? 431
                              : failed == http::error::body_limit ? 413
                                                                  : 400;
      keep_ = false;
      return Send(status, ErrorJson({Errc::kInvalid, failed.message()}));
    }
    Close();
  }

  static const boost::system::error_category& ParseCategory() {
    static const BoostError any = http::error::bad_method;
    return any.category();
  }

  void Handle() {
    core_.Count([](ServerCounters& c) { ++c.requests; });
    const auto& request = parser_->get();
    keep_ = request.keep_alive();
    const auto view = [](const auto& text) { return std::string_view(text.data(), text.size()); };
    Route route = FindRoute(view(request.method_string()), view(request.target()), request.body());
    if (auto* refusal = std::get_if<Refusal>(&route)) {
      Send(refusal->status, ErrorJson(refusal->error), refusal->allow);
    } else if (auto* call = std::get_if<Call>(&route)) {
      const bool status = request.method() == http::verb::get && request.target() == "/v1/status";
      Ask(*call, [this, status](Result<nlohmann::json> result) {
        if (result && status) (*result)["control"] = CountersJson();
        if (result)
          Send(200, *result);
        else
          Send(HttpStatus(result.error().code), ErrorJson(result.error()));
      });
    } else if (auto* events = std::get_if<EventStream>(&route)) {
      StartEvents(std::move(*events));
    } else if (auto* yield = std::get_if<YieldStream>(&route)) {
      StartYield(yield->who);
    } else {
      StartRecognition(std::get<RecognizeStream>(route));
    }
  }

  nlohmann::json CountersJson() const {
    const ServerCounters c = core_.Counters();
    return {{"connections", c.connections},
            {"requests", c.requests},
            {"bad_requests", c.bad_requests},
            {"timed_out", c.timed_out},
            {"evicted_idle", c.evicted_idle},
            {"refused_full", c.refused_full},
            {"refused_peers", c.refused_peers},
            {"slow_readers", c.slow_readers},
            {"events_lost", c.events_lost},
            {"unanswered", c.unanswered},
            {"open", c.open},
            {"subscribers", c.subscribers}};
  }

  // `then` is called on our thread unless the connection is gone by then. The session must hold a
  // read or a timer meanwhile, since an answer only holds it weakly.
  template <class Then>
  void Ask(const Call& call, Then then) {
    const std::uint64_t turn = turn_ + 1;
    answer_timer_.expires_after(core_.options.answer_time);
    answer_timer_.async_wait([self = shared_from_this(), turn, then](const BoostError& cancelled) {
      if (cancelled || self->turn_ != turn) return;
      self->core_.Count([](ServerCounters& c) { ++c.unanswered; });
      ++self->turn_;
      then(Fail(Errc::kTimeout, "the daemon did not answer in time"));
    });
    AskPatiently(call, then);
  }

  // The same, for as long as it takes.
  template <class Then>
  void AskPatiently(const Call& call, Then then) {
    if (state_ != State::kStreaming) state_ = State::kAsking;
    const std::uint64_t turn = ++turn_;
    Answer answer([core = core_.weak_from_this(), weak = weak_from_this(), turn,
                   then](Result<nlohmann::json> result) {
      const auto alive = core.lock();
      if (!alive) return;
      asio::post(alive->connections.io(), [weak, turn, then, result = std::move(result)]() mutable {
        const auto self = weak.lock();
        if (!self || self->turn_ != turn) return;
        ++self->turn_;
        self->answer_timer_.cancel();
        then(std::move(result));
      });
    });
    call(core_.service, std::move(answer));
  }

  void Send(unsigned status, const nlohmann::json& body, const std::string& allow = "") {
    state_ = State::kWriting;
    auto response = std::make_shared<http::response<http::string_body>>();
    response->version(11);
    response->result(status);
    response->set(http::field::content_type, "application/json");
    response->set(http::field::cache_control, "no-store");
    if (!allow.empty()) response->set(http::field::allow, allow);
    response->keep_alive(keep_);
    response->body() = Dump(body) + '\n';
    response->prepare_payload();
    stream_.expires_after(core_.options.write_time);
    http::async_write(stream_, *response,
                      [self = shared_from_this(), response](const BoostError& failed, std::size_t) {
                        if (self->state_ == State::kClosed) return;
                        if (failed == beast::error::timeout)
                          self->core_.Count([](ServerCounters& c) { ++c.timed_out; });
                        if (failed || !self->keep_ || self->core_.connections.ending())
                          return self->Close();
                        self->Read();
                      });
  }

  void StartEvents(EventStream wanted) {
    only_ = std::move(wanted.only);
    Open();
    ++core_.subscribers;
    Ask([](ControlService& service, Answer answer) { service.GetStatus(std::move(answer)); },
        [this](Result<nlohmann::json> status) {
          if (status)
            Push(std::make_shared<const std::string>(
                EventText(core_.next_event++, "status", *status)));
          else
            Push(std::make_shared<const std::string>(
                EventText(core_.next_event++, "error", ErrorJson(status.error()))));
        });
  }

  // The head of the answer waits until the card has been left, or it becomes an error.
  void StartYield(const std::string& who) {
    yield_ = ++core_.last_yield;
    state_ = State::kAsking;
    WatchPeer();
    Ask([id = yield_, who](ControlService& service,
                           Answer answer) { service.BeginYield(id, who, std::move(answer)); },
        [this](Result<nlohmann::json> left) {
          if (left) {
            state_ = State::kStreaming;
            Push(std::make_shared<const std::string>(kStreamHead));
            Push(std::make_shared<const std::string>(
                EventText(core_.next_event++, "yielded", *left)));
            return;
          }
          // A service that answered late will have to be told; one that refused must not be.
          if (left.error().code != Errc::kTimeout) yield_ = 0;
          keep_ = false;
          Send(HttpStatus(left.error().code), ErrorJson(left.error()));
        });
  }

  // The head of the answer waits for the text.
  void StartRecognition(const RecognizeStream& wanted) {
    const auto peer = PeerOf(stream_.socket().native_handle());
    Result<Fd> audio = peer ? OpenOfPeer(*peer, wanted.fd) : Result<Fd>(Fail(peer.error()));
    if (!audio) return Send(HttpStatus(audio.error().code), ErrorJson(audio.error()));
    wanted.how->audio = std::move(*audio);
    recognition_ = ++core_.last_recognition;
    state_ = State::kAsking;
    WatchPeer();
    AskPatiently(
        [id = recognition_, how = wanted.how](ControlService& service, Answer answer) {
          service.BeginRecognition(id, std::move(*how), std::move(answer));
        },
        [this](Result<nlohmann::json> text) {
          core_.service.EndRecognition(std::exchange(recognition_, 0));
          keep_ = false;
          if (text) return Send(200, *text);
          Send(HttpStatus(text.error().code), ErrorJson(text.error()));
        });
  }

  void Open() {
    state_ = State::kStreaming;
    Push(std::make_shared<const std::string>(kStreamHead));
    WatchPeer();
  }

  // Nothing more is expected of a client that has a stream, so any end of reading is its end.
  void WatchPeer() {
    stream_.expires_never();
    stream_.async_read_some(
        asio::buffer(ignored_), [self = shared_from_this()](const BoostError& failed, std::size_t) {
          // Aborted: a write was, by its time limit, which will say so.
          if (self->state_ == State::kClosed || failed == asio::error::operation_aborted) return;
          if (failed) return self->Close();
          self->WatchPeer();
        });
  }

  void WriteNext() {
    stream_.expires_after(core_.options.write_time);
    asio::async_write(
        stream_, asio::buffer(*queue_.front()),
        [self = shared_from_this(), text = queue_.front()](const BoostError& failed, std::size_t) {
          if (self->state_ == State::kClosed) return;
          if (failed) {
            if (failed == beast::error::timeout)
              self->core_.Count([](ServerCounters& c) { ++c.slow_readers; });
            return self->Close();
          }
          self->queue_.pop_front();
          self->queue_bytes_ -= static_cast<std::int64_t>(text->size());
          if (!self->queue_.empty()) self->WriteNext();
        });
  }

  Core& core_;
  beast::basic_stream<Protocol> stream_;
  asio::steady_timer answer_timer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  State state_ = State::kReading;
  bool keep_ = true;
  std::uint64_t turn_ = 0;  // which answer is waited for
  std::vector<std::string> only_;
  YieldId yield_ = 0;
  RecognitionId recognition_ = 0;
  std::deque<Text> queue_;  // the front one is being written
  std::int64_t queue_bytes_ = 0;
  std::array<char, 256> ignored_{};
};

Result<> ControlServer::Core::Begin() {
  Fd own(::fcntl(socket->fd(), F_DUPFD_CLOEXEC, 0));
  if (!own) return FailErrno(errno, "control socket");
  KeepAlive();
  if (auto begun = connections.Begin(std::move(own), "control"); !begun)
    return Within(begun, "control socket");
  return {};
}

bool ControlServer::Core::MayConnect(int peer) {
  const auto who = PeerOf(peer);
  return who && net::MayConnect(who->uid);
}

void ControlServer::Core::Serve(Fd peer) {
  auto stream = Adopt(connections.io(), Protocol(), std::move(peer));
  if (stream) std::make_shared<Session>(*this, std::move(*stream))->Read();
}

void ControlServer::Core::KeepAlive() {
  keep_alive.expires_after(options.keep_alive);
  keep_alive.async_wait([this](const BoostError& cancelled) {
    if (cancelled || connections.ending()) return;
    const auto comment = std::make_shared<const std::string>(":\n\n");
    // A push may close a session, but never destroys one here: its handlers still own it.
    for (Session* session : connections.connections<Session>()) session->Push(comment);
    KeepAlive();
  });
}

void ControlServer::Core::ToSubscribers(const std::string& name, const Text& event) {
  for (Session* session : connections.connections<Session>()) {
    if (session->Wants(name)) session->Push(event);
  }
}

Result<std::unique_ptr<ControlServer>> ControlServer::Start(ServerOptions options,
                                                            ControlService& service) {
  TRY_ASSIGN(LocalSocket socket, LocalSocket::Listen(options.socket));
  auto core = std::make_shared<Core>(std::move(options), service, std::move(socket));
  TRY(core->Begin());
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(core)));
}

ControlServer::~ControlServer() {
  core_->connections.End();  // answers that come later find no session
  core_->socket.reset();
}

void ControlServer::Publish(std::string_view name, const nlohmann::json& data) {
  if (!has_subscribers()) return;
  if (core_->posted >= kMostPosted) {
    core_->Count([](ServerCounters& c) { ++c.events_lost; });
    return;
  }
  auto event = std::make_shared<const std::string>(EventText(core_->next_event++, name, data));
  ++core_->posted;
  asio::post(core_->connections.io(),
             [core = core_.get(), name = std::string(name), event = std::move(event)] {
               --core->posted;
               core->ToSubscribers(name, event);
             });
}

bool ControlServer::has_subscribers() const {
  return core_->subscribers > 0;
}

ServerCounters ControlServer::counters() const {
  return core_->Counters();
}

}  // namespace headroom::net
