#include "net/http/transcription_work.h"

#include <algorithm>

#include "base/dirs.h"
#include "net/http/job_feed.h"
#include "net/http/transcription_answer.h"
#include "net/http/upload_work.h"

namespace headroom::net {
namespace {

constexpr Milliseconds kUploadBegins{500};  // until its speed is judged
constexpr Milliseconds kLookForRoom{100};

// Until another upload has ended. Nothing is read meanwhile.
class WaitsForRoom final : public HttpWork {
 public:
  explicit WaitsForRoom(Exchange& exchange) : HttpWork(exchange) {}
};

// Until the service has made text of the recording.
class TranscriptionWork final : public HttpWork {
 public:
  TranscriptionWork(Exchange& exchange, WebCore& core, const TranscriptionForm& form)
      : HttpWork(exchange),
        core_(core),
        streams_(form.stream),
        answer_(form, core.options.answer_limit) {}

  void Start(Fd recording, const SpeechRequest& request) {
    feed_ = std::make_shared<JobFeed>(
        core_.options.answer_limit,
        [post = exchange_.MakePoster(), this] { post([this] { TakeFeed(); }); });
    exchange_.WatchPeer();
    if (streams_) exchange_.KeepAlive();
    auto job = core_.service.Transcribe(std::move(recording), request, JobFeed::EventsInto(feed_));
    if (!job) return Fail(job.error());
    job_ = std::move(*job);
  }

  void OnServerEnd() override {
    Fail({Errc::kCancelled, "the service ends; ask again when it is back"});
  }

 private:
  void TakeFeed() {
    const auto [segments, end] = feed_->Take();
    for (const speech::Segment& segment : segments) {
      auto text = answer_.Add(segment);
      if (!text) return Fail(text.error());
      if (!text->empty() && !exchange_.Push(std::move(*text))) return;
    }
    if (!end) return;
    if (!*end) return Fail(end->error());
    auto text = answer_.End(**end);
    if (!text) return Fail(text.error());
    if (!streams_)
      return exchange_.Send(
          {.type = std::string(answer_.content_type()), .body = std::move(*text)});
    exchange_.Push(std::move(*text), true);
  }

  void Fail(const Error& why) {
    const WebError error = FromService(why, core_.service.State());
    if (error.retry_after_s > 0) core_.Count([](WebCounters& c) { ++c.refused_busy; });
    if (!exchange_.streaming()) return exchange_.Send(ToAnswer(error));
    exchange_.Push(ServerSentError(error), true);
  }

  WebCore& core_;
  const bool streams_;  // the client wants events
  TranscriptionAnswer answer_;
  std::shared_ptr<JobFeed> feed_;
  std::unique_ptr<TranscriptionJob> job_;
};

}  // namespace

void BeginUpload(Exchange& exchange, WebCore& core, bool translate, Milliseconds waited) {
  const auto boundary = MultipartReader::BoundaryOf(exchange.Field("Content-Type"));
  if (!boundary)
    return exchange.SendUnread(ToAnswer(BadRequest(415, "not_a_form", boundary.error().what)));
  const ServiceState state = core.service.State();
  if (!state.ready) return core.RefuseForService(exchange, NotReady(state));
  if (core.uploads.size() >= core.options.most_uploads && !core.MakeRoomForUpload()) {
    if (waited >= core.options.upload_wait)
      return core.RefuseForService(
          exchange, FromService({Errc::kBusy, fmt::format("{} recordings are on their way already",
                                                          core.uploads.size())},
                                state));
    exchange.Begin(std::make_unique<WaitsForRoom>(exchange));
    return exchange.After(kLookForRoom, [&exchange, &core, translate, waited] {
      BeginUpload(exchange, core, translate, waited + kLookForRoom);
    });
  }
  const auto length = exchange.content_length();
  auto file = UploadFile::Make(core.options.spool.empty() ? StateDir() : core.options.spool,
                               Bytes(length ? static_cast<std::int64_t>(*length) : 0),
                               core.options.upload_limit);
  if (!file) {
    if (file.error().code != Errc::kNoSpace)
      file.error() = {Errc::kIo, "there is no place to keep the recording in"};
    return exchange.SendUnread(ToAnswer(FromService(file.error(), state)));
  }
  exchange.Begin(
      std::make_unique<UploadWork>(exchange, core, *boundary, translate, std::move(*file)));
  exchange.ReadBody(std::nullopt);
}

UploadWork::UploadWork(Exchange& exchange, WebCore& core, const std::string& boundary,
                       bool translate, UploadFile into)
    : HttpWork(exchange), core_(core), form_(boundary, translate, std::move(into)) {
  core_.uploads.insert(this);
}

void UploadWork::OnBody(std::string_view bytes) {
  if (const auto wrong = form_.Feed(bytes)) return exchange_.SendUnread(ToAnswer(*wrong));
  const auto took = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - form_.began());
  if (took > core_.options.body_time && form_.SlowerThan(core_.options.slowest_upload, took)) Cut();
}

void UploadWork::OnBodyEnd() {
  const ServiceState state = core_.service.State();
  if (const auto bad = form_.Finish(state.models)) return exchange_.Send(ToAnswer(*bad));
  auto recording = form_.Take();
  if (!recording) return exchange_.Send(ToAnswer(FromService(recording.error(), state)));
  core_.Count([size = form_.size().n](WebCounters& c) {
    ++c.uploads, c.upload_bytes += static_cast<std::uint64_t>(size);
  });
  // The next work takes the place of this one.
  const TranscriptionForm form = form_.form();
  auto work = std::make_unique<TranscriptionWork>(exchange_, core_, form);
  TranscriptionWork& begun = *work;
  exchange_.Begin(std::move(work));
  begun.Start(std::move(*recording), form.request);
}

std::optional<MonoTime> UploadWork::SlowSince(MonoTime now) const {
  const auto took = std::chrono::duration_cast<Milliseconds>(now - form_.began());
  const bool slow = took >= kUploadBegins && form_.SlowerThan(core_.options.slowest_upload,
                                                              std::max(took, Milliseconds(1'000)));
  return slow ? std::optional(form_.began()) : std::nullopt;
}

void UploadWork::Cut() {
  core_.Count([](WebCounters& c) { ++c.timed_out; });
  exchange_.SendUnread(ToAnswer(
      BadRequest(408, "too_slow",
                 fmt::format("slower than {} bytes in a second", core_.options.slowest_upload))));
}

}  // namespace headroom::net
