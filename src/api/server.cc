// The only file with Beast in it: it takes most of a minute to compile.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "api/control.h"
#include "api/local_socket.h"
#include "api/route.h"

namespace headroom::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Protocol = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;
using Text = std::shared_ptr<const std::string>;

constexpr Milliseconds kFarewell{500};     // for answers on their way when the server ends
constexpr Milliseconds kAcceptAgain{200};  // after running out of descriptors
constexpr std::size_t kMostPosted = 4096;  // events on their way to the server's thread

constexpr char kStreamHead[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

}  // namespace

// Everything but `posted`, `subscribers` and `counters` belongs to the server's thread.
struct ControlServer::Core : std::enable_shared_from_this<ControlServer::Core> {
  Core(ServerOptions with, ControlService& to, LocalSocket on)
      : options(std::move(with)), service(to), socket(std::move(on)) {}

  Result<> Begin();
  void Accept();
  void OnAccept(const ErrorCode& failed, Protocol::socket peer);
  bool MakeRoom();
  void KeepAlive();
  void ToSubscribers(const std::string& name, const Text& event);
  void End();
  void Run();

  template <class Change>
  void Count(Change change) {
    const std::lock_guard guard(mutex);
    change(counters);
  }
  ServerCounters Counters() {
    const std::lock_guard guard(mutex);
    ServerCounters now = counters;
    now.subscribers = subscribers;
    return now;
  }

  const ServerOptions options;
  ControlService& service;
  std::optional<LocalSocket> socket;
  // These outlive `io`, whose handlers own the sessions.
  std::set<Session*> sessions;  // each takes itself out
  std::mutex mutex;
  ServerCounters counters;  // guarded by mutex
  asio::io_context io{1};
  Protocol::acceptor acceptor{io};
  asio::steady_timer accept_again{io}, keep_alive{io}, farewell{io};
  bool running = false;  // the thread; false again once it has been joined
  bool ending = false;
  std::uint64_t age = 0;  // grows with each wait for a request: the smallest waits longest
  YieldId last_yield = 0;
  RecognitionId last_recognition = 0;

  std::atomic<std::uint64_t> next_event{1};
  std::atomic<std::size_t> posted{0};
  std::atomic<std::size_t> subscribers{0};
  std::thread thread;
};

// One connection: requests one after the other, until one of them opens a stream.
class ControlServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Core& core, Protocol::socket peer)
      : core_(core), stream_(std::move(peer)), answer_timer_(core.io) {
    core_.sessions.insert(this);
    core_.Count([this](ServerCounters& c) { ++c.connections, c.open = core_.sessions.size(); });
  }
  ~Session() {
    Close();
    core_.sessions.erase(this);
    core_.Count([this](ServerCounters& c) { c.open = core_.sessions.size(); });
    if (core_.running && core_.ending && core_.sessions.empty()) core_.farewell.cancel();
  }

  bool waiting() const { return state_ == State::kReading; }
  std::uint64_t age() const { return age_; }
  bool streaming() const { return state_ == State::kStreaming; }
  bool Wants(const std::string& name) const {
    return streaming() && yield_ == 0 &&
           (only_.empty() || std::ranges::find(only_, name) != only_.end());
  }

  void Read() {
    state_ = State::kReading;
    age_ = ++core_.age;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_.options.header_limit.n));
    parser_->body_limit(static_cast<std::uint64_t>(core_.options.body_limit.n));
    stream_.expires_after(core_.options.request_time);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
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
  void End() {
    if (state_ != State::kWriting) Close();
  }

  void Close() {
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

  void OnRead(const ErrorCode& failed) {
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
    static const ErrorCode any = http::error::bad_method;
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
    answer_timer_.async_wait([self = shared_from_this(), turn, then](const ErrorCode& cancelled) {
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
      asio::post(alive->io, [weak, turn, then, result = std::move(result)]() mutable {
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
                      [self = shared_from_this(), response](const ErrorCode& failed, std::size_t) {
                        if (self->state_ == State::kClosed) return;
                        if (failed == beast::error::timeout)
                          self->core_.Count([](ServerCounters& c) { ++c.timed_out; });
                        if (failed || !self->keep_ || self->core_.ending) return self->Close();
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
        asio::buffer(ignored_), [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
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
        [self = shared_from_this(), text = queue_.front()](const ErrorCode& failed, std::size_t) {
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
  std::uint64_t age_ = 0;
  std::uint64_t turn_ = 0;  // which answer is waited for
  std::vector<std::string> only_;
  YieldId yield_ = 0;
  RecognitionId recognition_ = 0;
  std::deque<Text> queue_;  // the front one is being written
  std::int64_t queue_bytes_ = 0;
  std::array<char, 256> ignored_{};
};

Result<> ControlServer::Core::Begin() {
  ErrorCode failed;
  const int own = ::fcntl(socket->fd(), F_DUPFD_CLOEXEC, 0);
  if (own < 0) return FailErrno(errno, "control socket");
  static_cast<void>(acceptor.assign(Protocol(), own, failed));
  if (failed) {
    ::close(own);
    return Fail(Errc::kIo, "control socket: {}", failed.message());
  }
  Accept();
  KeepAlive();
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
    return Fail(Errc::kNoMemory, "control socket: {}", error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void ControlServer::Core::Run() {
  ::pthread_setname_np(::pthread_self(), "control");
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::bad_alloc&) {
      // The one connection is lost; the others go on.
    }
  }
}

void ControlServer::Core::Accept() {
  acceptor.async_accept([this](const ErrorCode& failed, Protocol::socket peer) {
    OnAccept(failed, std::move(peer));
  });
}

void ControlServer::Core::OnAccept(const ErrorCode& failed, Protocol::socket peer) {
  if (ending) return;
  if (failed) {  // out of descriptors or memory: the ones that are open go on
    MakeRoom();
    accept_again.expires_after(kAcceptAgain);
    accept_again.async_wait([this](const ErrorCode& cancelled) {
      if (!cancelled && !ending) Accept();
    });
    return;
  }
  const auto who = PeerOf(peer.native_handle());
  if (!who || !MayConnect(who->uid))
    Count([](ServerCounters& c) { ++c.refused_peers; });
  else if (sessions.size() >= options.most_connections && !MakeRoom())
    Count([](ServerCounters& c) { ++c.refused_full; });
  else
    std::make_shared<Session>(*this, std::move(peer))->Read();
  Accept();
}

// Closes the connection that has waited longest for a request.
bool ControlServer::Core::MakeRoom() {
  Session* oldest = nullptr;
  for (Session* session : sessions) {
    if (session->waiting() && (!oldest || session->age() < oldest->age())) oldest = session;
  }
  if (!oldest) return false;
  Count([](ServerCounters& c) { ++c.evicted_idle; });
  oldest->Close();
  return true;
}

void ControlServer::Core::KeepAlive() {
  keep_alive.expires_after(options.keep_alive);
  keep_alive.async_wait([this](const ErrorCode& cancelled) {
    if (cancelled || ending) return;
    const auto comment = std::make_shared<const std::string>(":\n\n");
    // A push may close a session, but never destroys one here: its handlers still own it.
    for (Session* session : std::vector(sessions.begin(), sessions.end())) session->Push(comment);
    KeepAlive();
  });
}

void ControlServer::Core::ToSubscribers(const std::string& name, const Text& event) {
  for (Session* session : std::vector(sessions.begin(), sessions.end())) {
    if (session->Wants(name)) session->Push(event);
  }
}

void ControlServer::Core::End() {
  ending = true;
  ErrorCode none;
  static_cast<void>(acceptor.close(none));
  accept_again.cancel();
  keep_alive.cancel();
  for (Session* session : std::vector(sessions.begin(), sessions.end())) session->End();
  if (sessions.empty()) return;
  farewell.expires_after(kFarewell);
  farewell.async_wait([this](const ErrorCode& cancelled) {
    if (!cancelled) io.stop();
  });
}

Result<std::unique_ptr<ControlServer>> ControlServer::Start(ServerOptions options,
                                                            ControlService& service) {
  TRY_ASSIGN(LocalSocket socket, LocalSocket::Listen(options.socket));
  auto core = std::make_shared<Core>(std::move(options), service, std::move(socket));
  TRY(core->Begin());
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(core)));
}

ControlServer::~ControlServer() {
  asio::post(core_->io, [core = core_.get()] { core->End(); });
  core_->thread.join();
  core_->running = false;
  // Whoever did not take the last answer in time. Answers that come later find no session.
  const auto& sessions = core_->sessions;
  for (Session* session : std::vector(sessions.begin(), sessions.end())) session->Close();
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
  asio::post(core_->io, [core = core_.get(), name = std::string(name), event = std::move(event)] {
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

}  // namespace headroom::api
