#include "models/store/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/check.h"
#include "base/dirs.h"
#include "base/owned.h"
#include "base/text.h"

namespace headroom::models {
namespace {

constexpr int kPollMs = 200;

void InitialiseOnce() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(done == CURLE_OK);
}

struct Transfer {
  const HttpHandler* handler = nullptr;
  CURL* curl = nullptr;
  HttpHead head;
  bool answered = false;   // a status line came
  bool announced = false;  // on_head was called
  std::int64_t received = 0;
  std::optional<Error> stop;

  bool good() const { return head.status >= 200 && head.status < 300; }

  Result<> Announce() {
    if (announced) return {};
    announced = true;
    return handler->on_head ? handler->on_head(head) : Result<>();
  }
};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::size_t OnHeader(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(bytes, size * count);
  if (line.starts_with("HTTP/")) {
    transfer.head = {};  // a later answer (after 100 Continue) replaces the earlier
    long status = 0;
    curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
    transfer.head.status = static_cast<int>(status);
    transfer.answered = true;
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    transfer.head.headers[Lower(Trim(line.substr(0, colon)))] =
        std::string(Trim(line.substr(colon + 1)));
  }
  return size * count;
}

std::size_t OnBody(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t n = size * count;
  transfer.received += static_cast<std::int64_t>(n);
  if (!transfer.good()) return n;  // an error's page: it is not read
  auto ok = transfer.Announce();
  if (ok && transfer.handler->on_body)
    ok = transfer.handler->on_body(std::as_bytes(std::span(bytes, n)));
  if (ok) return n;
  transfer.stop = std::move(ok.error());
  return n == 0 ? 1 : 0;  // anything but n ends the transfer
}

HttpEnd EndFor(CURLcode code, bool answered) {
  switch (code) {
    case CURLE_OK:
      return HttpEnd::kComplete;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return HttpEnd::kNoAnswer;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
      return answered ? HttpEnd::kBroken : HttpEnd::kNoAnswer;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return HttpEnd::kRefused;
    default:
      return HttpEnd::kBroken;
  }
}

// The part of the address that a person needs: without the signature of a content network.
std::string Shown(const std::string& url) {
  return Printable(url.substr(0, url.find('?')));
}

class Loop {
 public:
  Loop(const HttpLimits& limits, CancelToken* cancel) : limits_(limits), cancel_(cancel) {}

  HttpResult Run(CURL* easy, Transfer& transfer, const std::string& url) {
    const Owned<CURLM, curl_multi_cleanup> multi(curl_multi_init());
    CHECK(multi && curl_multi_add_handle(multi.get(), easy) == CURLM_OK);
    const HttpResult result = Drive(multi.get(), easy, transfer, url);
    curl_multi_remove_handle(multi.get(), easy);
    return result;
  }

 private:
  HttpResult Drive(CURLM* multi, CURL* easy, Transfer& transfer, const std::string& url) {
    const auto ended = [&](HttpEnd end, Errc code, std::string what) {
      return HttpResult{end, transfer.head, Error{code, std::move(what)}};
    };
    const MonoTime began = SystemClock().Now();
    MonoTime window = began;
    std::int64_t before = 0;
    while (true) {
      int running = 0;
      if (const CURLMcode code = curl_multi_perform(multi, &running); code != CURLM_OK)
        return ended(HttpEnd::kRefused, Errc::kInternal, curl_multi_strerror(code));
      if (running == 0) break;
      if (cancel_ && cancel_->raised())
        return ended(HttpEnd::kStopped, Errc::kCancelled, "stopped");
      const MonoTime now = SystemClock().Now();
      if (!transfer.answered && now - began > limits_.answer)
        return ended(HttpEnd::kNoAnswer, Errc::kNetwork,
                     fmt::format("{} did not answer within {:.3g} s", Shown(url),
                                 std::chrono::duration<double>(limits_.answer).count()));
      if (transfer.answered && now - window > limits_.stall) {
        if (transfer.received - before < limits_.stall_bytes.n)
          return ended(HttpEnd::kStalled, Errc::kNetwork,
                       fmt::format("{} sends too slowly: {} in {:.3g} s", Shown(url),
                                   FormatDecimal(Bytes(transfer.received - before)),
                                   std::chrono::duration<double>(limits_.stall).count()));
        window = now;
        before = transfer.received;
      } else if (!transfer.answered) {
        window = now;
      }
      curl_waitfd stop{cancel_ ? cancel_->fd() : -1, CURL_WAIT_POLLIN, 0};
      curl_multi_poll(multi, &stop, cancel_ ? 1 : 0, kPollMs, nullptr);
    }
    CURLcode code = CURLE_OK;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    }
    if (transfer.stop)
      return HttpResult{HttpEnd::kStopped, transfer.head, std::move(*transfer.stop)};
    const HttpEnd end = EndFor(code, transfer.answered);
    if (end != HttpEnd::kComplete)
      return ended(end, Errc::kNetwork, fmt::format("{}: {}", Shown(url), Reason(code, easy)));
    if (transfer.good()) {
      if (auto ok = transfer.Announce(); !ok)
        return HttpResult{HttpEnd::kStopped, transfer.head, std::move(ok.error())};
    }
    char* redirect = nullptr;
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
    if (redirect) transfer.head.redirect = redirect;
    return HttpResult{HttpEnd::kComplete, std::move(transfer.head), {}};
  }

  static std::string Reason(CURLcode code, CURL*) {
    std::string reason = curl_easy_strerror(code);
    if (!reason.empty())
      reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
    return reason;
  }

  const HttpLimits& limits_;
  CancelToken* cancel_;
};

}  // namespace

const std::string& HttpHead::Header(const std::string& name) const {
  static const std::string none;
  const auto found = headers.find(name);
  return found == headers.end() ? none : found->second;
}

HttpResult HttpGet(const HttpRequest& request, const HttpHandler& handler, const HttpLimits& limits,
                   CancelToken* cancel) {
  InitialiseOnce();
  const Owned<CURL, curl_easy_cleanup> easy(curl_easy_init());
  CHECK(easy);
  Transfer transfer;
  transfer.handler = &handler;
  transfer.curl = easy.get();

  Owned<curl_slist, curl_slist_free_all> headers;
  for (const std::string& header : request.headers)
    headers.reset(curl_slist_append(headers.release(), header.c_str()));

  CURL* c = easy.get();
  curl_easy_setopt(c, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(c, CURLOPT_USERAGENT, "headroom");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 262144L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.answer.count()));
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &transfer);
  for (const char* variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
    if (const std::string bundle = Environment(variable); !bundle.empty())
      curl_easy_setopt(c, CURLOPT_CAINFO, bundle.c_str());
  }
  return Loop(limits, cancel).Run(c, transfer, request.url);
}

std::string Origin(const std::string& url) {
  const Owned<CURLU, curl_url_cleanup> parsed(curl_url());
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "";
  const auto part = [&](CURLUPart what, unsigned flags) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), what, &text, flags) != CURLUE_OK) return std::string();
    const Owned<char, curl_free> owned(text);
    return Lower(text);
  };
  return fmt::format("{}://{}:{}", part(CURLUPART_SCHEME, 0), part(CURLUPART_HOST, 0),
                     part(CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

}  // namespace headroom::models
