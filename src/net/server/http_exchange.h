// A request of an HTTP client and its answer, as the handlers of routes see them: neither Beast nor
// Asio is needed to write one. Everything here belongs to the server's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::net {

class ByteStream;
class Exchange;

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpHead {
  std::string method, target;
  HttpFields fields;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body = {};
  HttpFields fields = {};  // besides those that every answer has
};

/// A request that did not reach a handler.
struct HttpRefusal {
  enum class Kind {
    kMalformed,
    kHeaderTooLong,
    kBodyTooLong,
    kTooManyRequests,
    kNoSuchRoute,
    kWrongMethod,
  };
  Kind kind = Kind::kMalformed;
  std::string message;
  std::string allow = {};  // kWrongMethod: the methods that the path has
};
/// 400, 404, …
unsigned StatusOf(HttpRefusal::Kind kind);

/// What a handler does for one request after it has returned. Destroyed when the request has its
/// answer, or its client is gone.
class HttpWork {
 public:
  HttpWork(const HttpWork&) = delete;
  HttpWork& operator=(const HttpWork&) = delete;
  virtual ~HttpWork() = default;

  /// After Exchange::ReadBody: the body in pieces, and its end. To stop, send an answer.
  virtual void OnBody(std::string_view) {}
  virtual void OnBodyEnd() {}
  /// An event, for work that follows them. `text`: as it is sent.
  virtual void OnEvent(std::string_view, const std::shared_ptr<const std::string>&) {}
  /// The server ends. Default: the connection is closed.
  virtual void OnServerEnd();

 protected:
  explicit HttpWork(Exchange& exchange) : exchange_(exchange) {}
  Exchange& exchange_;
};

/// Send, SendUnread, Push and Close may destroy the work that calls them: return right afterwards.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  // ---- the request ----
  virtual std::string_view method() const = 0;  // also "HEAD"
  virtual std::string_view target() const = 0;
  /// What follows the route's path, for a route that takes names.
  virtual std::string_view name() const = 0;
  /// "" : there is none.
  virtual std::string_view Field(std::string_view name) const = 0;
  virtual std::size_t CountField(std::string_view name) const = 0;
  virtual std::optional<std::uint64_t> content_length() const = 0;
  virtual bool has_body() const = 0;
  virtual int socket() const = 0;  // of the connection

  // ---- work ----
  virtual void Begin(std::unique_ptr<HttpWork> work) = 0;
  /// For the work at hand. `within`: for all of it; nullopt: as the limits say for each piece.
  virtual void ReadBody(std::optional<Milliseconds> within) = 0;
  /// From now on a client that goes away is noticed, which ends the work.
  virtual void WatchPeer() = 0;
  /// Calls once, unless the work has ended by then. There is one such timer.
  virtual void After(Milliseconds delay, std::function<void()> call) = 0;
  virtual void CancelTimer() = 0;
  /// Brings calls from any thread to the server's; they are dropped once the work has ended.
  using Poster = std::function<void(std::function<void()>)>;
  virtual Poster MakePoster() = 0;

  // ---- the answer ----
  virtual void Send(HttpAnswer answer) = 0;
  /// Closes the connection after the answer, since something of the request is unread.
  virtual void SendUnread(HttpAnswer answer) = 0;
  /// One piece of an event stream. The head goes before the first, and after the `last` the
  /// connection is closed. false: the client does not read, so that the work has ended.
  virtual bool Push(std::shared_ptr<const std::string> text, bool last) = 0;
  bool Push(std::string text, bool last = false) {
    return Push(std::make_shared<const std::string>(std::move(text)), last);
  }
  /// The head of the event stream has been sent.
  virtual bool streaming() const = 0;
  /// Sends a comment on the event stream from time to time, so that it is not taken for dead.
  virtual void KeepAlive() = 0;

  std::string origin;  // of another site's page that may read the answer; "" : none
  std::string client;  // whose token the request has; "" : none

  /// Gives the connection away, with the head of the request. nullptr: the client has already sent
  /// more.
  virtual std::unique_ptr<ByteStream> TakeConnection(HttpHead& head) = 0;
  virtual void Close() = 0;
};

}  // namespace headroom::net
