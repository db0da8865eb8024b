#include "net/control/client.h"

#include <curl/curl.h>
#include <poll.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/check.h"
#include "base/owned.h"
#include "net/control/json_text.h"

namespace headroom::net {
namespace {

using nlohmann::json;

constexpr std::size_t kLargestAnswer = 64u << 20;
constexpr std::size_t kLargestEvent = 1u << 20;
constexpr int kPollMs = 100;
constexpr int kConnectTries = 20;

struct Request {
  Owned<CURL, curl_easy_cleanup> curl;
  Owned<curl_slist, curl_slist_free_all> headers;
  std::string body;
  std::string received;  // of an answer that is no stream
  EventParser events;
  const ControlClient::OnEvent* on_event = nullptr;
  bool done = false;  // on_event wants no more
  std::optional<Error> wrong;

  long status() const {
    long code = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

  int connect_errno() const {
    long code = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_OS_ERRNO, &code);
    return static_cast<int>(code);
  }

  bool Take(std::string_view bytes) {
    if (!on_event || status() != 200) {
      received += bytes;
      return received.size() <= kLargestAnswer;
    }
    const auto fed = events.Feed(bytes, [this](const EventParser::Event& event) {
      if (done || wrong) return;
      const json data = json::parse(event.data, nullptr, false);
      if (data.is_discarded())
        wrong = Error{Errc::kProtocol, "the daemon sent an event that is not JSON"};
      else
        done = !(*on_event)(event.name, data);
    });
    if (!fed) wrong = fed.error();
    return !done && !wrong;
  }
};

std::size_t OnBytes(char* data, std::size_t size, std::size_t count, void* user) {
  return static_cast<Request*>(user)->Take({data, size * count}) ? size * count : 0;
}

std::unique_ptr<Request> MakeRequest(const std::filesystem::path& socket, const std::string& method,
                                     const std::string& target, const json& body) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_NOTHING);
  CHECK(ready == CURLE_OK);
  auto request = std::make_unique<Request>();
  request->curl.reset(curl_easy_init());
  CURL* const curl = request->curl.get();
  CHECK(curl);
  if (!body.is_null()) request->body = Dump(body);
  curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, ("http://headroom" + target).c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  if (method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request->body.size()));
  }
  request->headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, request->headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, request.get());
  return request;
}

// The error of a transfer that did not end well; its answer, if there is one, comes first.
Error ErrorOf(const Request& request, CURLcode code, const std::filesystem::path& socket) {
  if (request.wrong) return *request.wrong;
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      if (request.connect_errno() == EAGAIN)
        return {Errc::kBusy, "the daemon has too many connections waiting; try again"};
      if (request.connect_errno() == EACCES)
        return {Errc::kPermission, fmt::format("{} is another user's daemon", socket.string())};
      return {Errc::kNotFound,
              fmt::format("no daemon listens on {}; start it with 'headroom daemon', or 'headroom "
                          "install-service --now' to have it always",
                          socket.string())};
    case CURLE_OPERATION_TIMEDOUT:
      return {Errc::kTimeout, "the daemon does not answer"};
    case CURLE_OK:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
      return {Errc::kNetwork, "the daemon ended"};
    default:
      return {Errc::kNetwork, fmt::format("the daemon: {}", curl_easy_strerror(code))};
  }
}

// As curl_easy_perform, but kCancelled once `cancel` was raised.
Result<CURLcode> Transfer(const Request& request, CancelToken* cancel) {
  const Owned<CURLM, curl_multi_cleanup> multi(curl_multi_init());
  CHECK(multi);
  curl_multi_add_handle(multi.get(), request.curl.get());
  struct Remove {
    CURLM* multi;
    CURL* curl;
    ~Remove() { curl_multi_remove_handle(multi, curl); }
  } const remove{multi.get(), request.curl.get()};

  for (int running = 1; running > 0;) {
    if (cancel && cancel->raised()) return Fail(Errc::kCancelled, "interrupted");
    CURLMcode code = curl_multi_perform(multi.get(), &running);
    curl_waitfd stop{cancel ? cancel->fd() : -1, CURL_WAIT_POLLIN, 0};
    if (code == CURLM_OK && running > 0)
      code = curl_multi_poll(multi.get(), &stop, cancel ? 1 : 0, cancel ? 10 * kPollMs : kPollMs,
                             nullptr);
    if (code != CURLM_OK) return Fail(Errc::kInternal, "{}", curl_multi_strerror(code));
  }
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi.get(), &left);
  return message ? message->data.result : CURLE_OK;
}

Result<json> AnswerOf(const Request& request) {
  const json value = json::parse(request.received, nullptr, false);
  if (request.status() >= 200 && request.status() < 300) {
    if (value.is_object()) return value;
    return Fail(Errc::kProtocol, "the daemon's answer is not JSON");
  }
  return Fail(ErrorFromJson(value));
}

}  // namespace

Result<json> ControlClient::Ask(const std::string& method, const std::string& target,
                                const json& body, Milliseconds within, CancelToken* cancel) const {
  const auto request = MakeRequest(socket_, method, target, body);
  curl_easy_setopt(request->curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(within.count()));
  CURLcode code = CURLE_OK;
  for (int tries = 0; tries < kConnectTries; ++tries) {
    TRY_ASSIGN(code, Transfer(*request, cancel));
    // A queue of waiting connections that is full; a daemon empties it in a moment.
    if (code != CURLE_COULDNT_CONNECT || request->connect_errno() != EAGAIN) break;
    ::poll(nullptr, 0, kPollMs);
  }
  if (code != CURLE_OK) return Fail(ErrorOf(*request, code, socket_));
  return AnswerOf(*request);
}

Result<> ControlClient::Follow(const std::string& method, const std::string& target,
                               const OnEvent& on_event, CancelToken* cancel,
                               const json& body) const {
  const auto request = MakeRequest(socket_, method, target, body);
  request->on_event = &on_event;
  TRY_ASSIGN(const CURLcode code, Transfer(*request, cancel));
  if (request->done) return {};
  if (code == CURLE_OK && request->status() != 200) {
    TRY(AnswerOf(*request));
    return Fail(Errc::kProtocol, "the daemon sent no events");
  }
  return Fail(ErrorOf(*request, code, socket_));
}

Result<> EventParser::Feed(std::string_view bytes,
                           const std::function<void(const Event&)>& on_event) {
  for (const char c : bytes) {
    if (c != '\n') {
      if (line_.size() + event_.data.size() >= kLargestEvent)
        return Fail(Errc::kProtocol, "the daemon sent an event of more than 1 MiB");
      line_ += c;
      continue;
    }
    if (line_.ends_with('\r')) line_.pop_back();
    if (line_.empty()) {
      if (!event_.data.empty()) on_event(event_);
      event_ = {};
    } else if (line_.starts_with("event:")) {
      event_.name = line_.substr(line_.starts_with("event: ") ? 7 : 6);
    } else if (line_.starts_with("data:")) {
      if (!event_.data.empty()) event_.data += '\n';
      event_.data += line_.substr(line_.starts_with("data: ") ? 6 : 5);
    }
    line_.clear();
  }
  return {};
}

}  // namespace headroom::net
