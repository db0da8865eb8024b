#include "models/store/download.h"

#include <poll.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/file.h"
#include "base/text.h"
#include "models/store/download_part.h"

namespace headroom::models {
namespace {

constexpr int kMostRedirects = 8;
constexpr int kMostRequests = 50;  // however much each of them brought

std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

/// The sum in an ETag such as "\"<64 hex>\"", or "".
std::string DeclaredSum(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() == 66 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, 64);
  std::string sum(etag);
  for (char& c : sum) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool hex = sum.find_first_not_of("0123456789abcdef") == std::string::npos;
  return sum.size() == 64 && hex ? sum : "";
}

struct ContentRange {
  std::int64_t first = 0;
  std::optional<std::int64_t> total;
};
/// "bytes 5-9/10" (RFC 9110, 14.4)
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash)
    return std::nullopt;
  const auto first = ParseNumber(text.substr(0, dash));
  if (!first) return std::nullopt;
  return ContentRange{*first, ParseNumber(text.substr(slash + 1))};
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool WorthAnotherTry(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501);
}

class Fetch {
 public:
  Fetch(const DownloadRequest& request, const DownloadOptions& options,
        const OnDownloaded& on_progress, CancelToken* cancel, DownloadPart part)
      : request_(request),
        options_(options),
        on_progress_(on_progress),
        cancel_(cancel),
        part_(std::move(part)),
        resumed_from_(part_.size()) {}

  Result<Downloaded> Run() {
    auto done = Tries();
    if (done) return done;
    Error error = std::move(done.error());
    const bool may_go_on = error.code == Errc::kNetwork || error.code == Errc::kCancelled;
    if (!may_go_on || part_.size() == Bytes(0)) {
      part_.Discard();
    } else {
      error.what += fmt::format("; {} kept, the same command goes on from there",
                                FormatDecimal(part_.size()));
    }
    return Fail(std::move(error));
  }

 private:
  enum class Next { kDone, kAgainNow, kAgainLater };

  Result<Downloaded> Tries() {
    int in_vain = 0;
    for (int requests = 0; requests < kMostRequests; ++requests) {
      const Bytes before = part_.size();
      TRY_ASSIGN(const Next next, Once());
      if (next == Next::kDone) {
        TRY_ASSIGN(auto downloaded, Complete());
        if (downloaded) return std::move(*downloaded);
        continue;  // restarted
      }
      if (next == Next::kAgainNow) continue;
      if (part_.size() - before >= options_.limits.stall_bytes)
        in_vain = 0;
      else if (++in_vain >= options_.tries)
        break;
      TRY(Pause(in_vain));
    }
    return Fail(std::move(last_));
  }

  // One try: the hub's answer and what it redirects to.
  Result<Next> Once() {
    if (part_.identity().total > Bytes(0) && part_.size() == part_.identity().total)
      return Next::kDone;
    declared_.clear();
    linked_size_.reset();
    retry_after_ = Milliseconds(0);
    std::string url = request_.url;
    for (int hop = 0; hop <= kMostRedirects; ++hop) {
      const HttpResult result = HttpGet(Ask(url), Handler(), options_.limits, cancel_);
      if (result.end != HttpEnd::kComplete) return AfterEnd(result);
      const HttpHead& head = result.head;
      if (head.status >= 200 && head.status < 300) {
        if (part_.identity().total > part_.size()) {
          last_ = {Errc::kNetwork, "the host ended the file too early"};
          return Next::kAgainLater;
        }
        return Next::kDone;
      }
      if (!IsRedirect(head.status)) return AfterStatus(head, hop);
      ReadLinked(head);
      if (!declared_.empty() && part_.size() > Bytes(0) && declared_ != part_.identity().sha256) {
        TRY(part_.Restart());
      }
      if (Origin(head.redirect).empty() ||
          (url.starts_with("https:") && !head.redirect.starts_with("https:")))
        return Fail(Errc::kNetwork, "{}: leads to an address that is not safe", Shown());
      url = head.redirect;
    }
    return Fail(Errc::kNetwork, "{}: redirects without end", Shown());
  }

  HttpRequest Ask(const std::string& url) const {
    HttpRequest ask{url, {}};
    if (!request_.token.empty() && Origin(url) == Origin(request_.url))
      ask.headers.push_back("Authorization: Bearer " + request_.token);
    if (part_.size() > Bytes(0)) {
      ask.headers.push_back(fmt::format("Range: bytes={}-", part_.size().n));
      // A declared sum says which file it is better than the etag, which differs between the hosts
      // of a content network.
      const std::string& etag = part_.identity().etag;
      if (part_.identity().sha256.empty() && !etag.empty() && !etag.starts_with("W/"))
        ask.headers.push_back("If-Range: " + etag);
    }
    return ask;
  }

  HttpHandler Handler() {
    return {[this](const HttpHead& head) { return OnHead(head); },
            [this](std::span<const std::byte> bytes) { return OnBody(bytes); }};
  }

  void ReadLinked(const HttpHead& head) {
    if (const std::string sum = DeclaredSum(head.Header("x-linked-etag")); !sum.empty())
      declared_ = sum;
    if (const auto size = ParseNumber(head.Header("x-linked-size"))) linked_size_ = Bytes(*size);
  }

  Result<> OnHead(const HttpHead& head) {
    ReadLinked(head);
    PartIdentity identity{request_.url, head.Header("etag"), declared_, Bytes(0)};
    if (head.status == 206) {
      const auto range = ParseContentRange(head.Header("content-range"));
      const PartIdentity& was = part_.identity();
      const bool same = declared_.empty() ? identity.etag == was.etag : declared_ == was.sha256;
      if (!range || range->first != part_.size().n || !same) {
        start_over_ = true;
        return Fail(Errc::kNetwork, "the file has changed");
      }
      identity.total = Bytes(range->total.value_or(0));
    } else {
      if (part_.size() > Bytes(0)) {
        TRY(part_.Restart());
      }
      resumed_from_ = Bytes(0);
      identity.total = Bytes(ParseNumber(head.Header("content-length")).value_or(0));
    }
    if (linked_size_ && identity.total > Bytes(0) && *linked_size_ != identity.total)
      return Fail(Errc::kChecksum, "{}: {} were promised, {} are sent", Shown(),
                  FormatDecimal(*linked_size_), FormatDecimal(identity.total));
    if (linked_size_) identity.total = *linked_size_;
    TRY(CheckPromise(identity));
    return part_.Identify(identity);
  }

  // Everything that can be known before the first byte.
  Result<> CheckPromise(const PartIdentity& identity) const {
    if (!request_.sha256.empty() && !declared_.empty() && declared_ != request_.sha256)
      return Fail(Errc::kChecksum, "{}: is another file now: sha256 {:.12}… instead of {:.12}…",
                  Shown(), declared_, request_.sha256);
    if (request_.limit > Bytes(0) && identity.total > request_.limit)
      return Fail(Errc::kChecksum, "{}: is {}, far more than the catalogue says", Shown(),
                  FormatDecimal(identity.total));
    const Bytes missing = identity.total - part_.size() + options_.spare;
    TRY_ASSIGN(const Bytes free, options_.free_space ? options_.free_space(request_.destination)
                                                     : FreeSpace(request_.destination));
    if (free < missing)
      return Fail(Errc::kNoSpace, "{}: {} are needed and {} are free",
                  request_.destination.parent_path().string(), FormatDecimal(missing),
                  FormatDecimal(free));
    return {};
  }

  Result<> OnBody(std::span<const std::byte> bytes) {
    const Bytes after = part_.size() + Bytes(static_cast<std::int64_t>(bytes.size()));
    const Bytes total = part_.identity().total;
    if ((total > Bytes(0) && after > total) ||
        (request_.limit > Bytes(0) && after > request_.limit))
      return Fail(Errc::kChecksum, "{}: more came than was promised", Shown());
    TRY(part_.Append(bytes));
    progressed_ = true;
    if (on_progress_) on_progress_(part_.size(), total);
    return {};
  }

  Result<Next> AfterEnd(const HttpResult& result) {
    if (start_over_) {
      start_over_ = false;
      TRY(part_.Restart());
      last_ = result.error;
      return Next::kAgainNow;
    }
    const bool hopeless = result.end == HttpEnd::kStopped || result.end == HttpEnd::kRefused ||
                          (result.end == HttpEnd::kNoAnswer && !progressed_);
    if (hopeless) return Fail(result.error);
    last_ = result.error;
    return Next::kAgainLater;
  }

  Result<Next> AfterStatus(const HttpHead& head, int hop) {
    if (head.status == 416 && part_.size() > Bytes(0)) {
      TRY(part_.Restart());
      last_ = {Errc::kNetwork, Shown() + ": the host does not continue files"};
      return Next::kAgainNow;
    }
    const bool refused = head.status == 401 || head.status == 403;
    // Behind a redirect it is a signature that ran out; the next try gets a fresh one.
    if (WorthAnotherTry(head.status) || (refused && hop > 0)) {
      last_ = {Errc::kNetwork, fmt::format("{}: HTTP {}", Shown(), head.status)};
      if (const auto seconds = ParseNumber(head.Header("retry-after")))
        retry_after_ = Milliseconds(1000 * std::min<std::int64_t>(*seconds, 3600));
      return Next::kAgainLater;
    }
    if (refused)
      return Fail(Errc::kPermission, "{}: HTTP {}: not there, or not for everybody; {}", Shown(),
                  head.status,
                  request_.token.empty() ? "set HF_TOKEN if you have a key"
                                         : "the key in HF_TOKEN does not open it");
    if (head.status == 404 || head.status == 410)
      return Fail(Errc::kNotFound, "{}: HTTP {}: no such file", Shown(), head.status);
    return Fail(Errc::kNetwork, "{}: HTTP {}", Shown(), head.status);
  }

  Result<> Pause(int in_vain) {
    static thread_local std::minstd_rand random(std::random_device{}());
    const double growth = static_cast<double>(1 << std::clamp(in_vain - 1, 0, 20));
    const double jitter = std::uniform_real_distribution<>(0.5, 1.0)(random);
    const Milliseconds wanted(static_cast<std::int64_t>(
        static_cast<double>(options_.first_pause.count()) * growth * jitter));
    const Milliseconds pause = std::min(std::max(wanted, retry_after_), options_.longest_pause);
    pollfd wait{cancel_ ? cancel_->fd() : -1, POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(pause.count()));
    if (cancel_ && cancel_->raised()) return Fail(Errc::kCancelled, "stopped");
    return {};
  }

  // nullopt: what came was wrong, was thrown away, and deserves one more try from the beginning.
  Result<std::optional<Downloaded>> Complete() {
    const std::string declared = part_.identity().sha256;
    TRY_ASSIGN(std::string sum, part_.Finish());
    const std::string& wanted = request_.sha256.empty() ? declared : request_.sha256;
    if (!wanted.empty() && sum != wanted) {
      if (resumed_from_ > Bytes(0)) {
        resumed_from_ = Bytes(0);
        TRY(part_.Restart());
        return std::nullopt;
      }
      return Fail(Errc::kChecksum, "{}: sha256 is {:.12}… and has to be {:.12}…", Shown(), sum,
                  wanted);
    }
    if (request_.accept) {
      TRY(request_.accept(part_.path()));
    }
    TRY(part_.MoveTo(request_.destination));
    return Downloaded{std::move(sum), !declared.empty(), part_.size(), resumed_from_};
  }

  std::string Shown() const { return request_.url; }

  const DownloadRequest& request_;
  const DownloadOptions& options_;
  const OnDownloaded& on_progress_;
  CancelToken* cancel_;
  DownloadPart part_;
  Bytes resumed_from_;
  std::string declared_;              // by any host on the way of this try
  std::optional<Bytes> linked_size_;  // likewise
  Milliseconds retry_after_{0};
  bool progressed_ = false;  // at least one byte came from the network
  bool start_over_ = false;
  Error last_{Errc::kNetwork, "nothing was tried"};
};

}  // namespace

Result<Downloaded> Download(const DownloadRequest& request, const DownloadOptions& options,
                            const OnDownloaded& on_progress, CancelToken* cancel) {
  TRY_ASSIGN(DownloadPart part, DownloadPart::Open(request.destination, request.url));
  return Fetch(request, options, on_progress, cancel, std::move(part)).Run();
}

}  // namespace headroom::models
