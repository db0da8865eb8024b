#include "app/serving/serving.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

namespace headroom::app {
namespace {

constexpr Milliseconds kComeAgain{5'000};
constexpr Milliseconds kDecoderWaits{300'000};
// A recording in work: its decoder, a detector, one chunk and the thread.
constexpr Bytes kForOne = MiB(64);
constexpr Bytes kForStream = MiB(6);        // 4 to 5 were measured, bench/results/streams.md
constexpr Bytes kSpare = MiB(192);          // of the machine, which is left alone
constexpr Milliseconds kSampleAge{10'000};  // samples are taken every 5 s at least
constexpr Milliseconds kLookAgain{1'000};

std::string OutcomeOf(const net::TextDelivered& text) {
  return text.hallucination  ? "phantom"
         : text.text.empty() ? "empty"
         : text.failure      ? "undelivered"
                             : "text";
}

}  // namespace

// A job that is counted for as long as it exists.
class Serving::Counted : public net::TranscriptionJob {
 public:
  Counted(std::atomic<std::size_t>& jobs, std::unique_ptr<net::TranscriptionJob> job)
      : jobs_(jobs), job_(std::move(job)) {
    ++jobs_;
  }
  ~Counted() override {
    job_.reset();
    if (--jobs_ == 0) ::malloc_trim(0);
  }

 private:
  std::atomic<std::size_t>& jobs_;
  std::unique_ptr<net::TranscriptionJob> job_;
};

Serving::Serving(ServingParts parts, asr::Scheduler& scheduler, DetectorMaker make_detector,
                 EventSink publish)
    : parts_(std::move(parts)),
      scheduler_(scheduler),
      make_detector_(std::move(make_detector)),
      publish_(std::move(publish)),
      began_(parts_.clock->Now()) {}

Serving::~Serving() = default;

Result<std::unique_ptr<Serving>> Serving::Make(ServingParts parts, StreamsOptions streams,
                                               asr::Scheduler& scheduler,
                                               DetectorMaker make_detector, EventSink publish) {
  std::unique_ptr<Serving> serving(
      new Serving(std::move(parts), scheduler, std::move(make_detector), std::move(publish)));
  TRY_ASSIGN(
      serving->streams_,
      Streams::Make(
          std::move(streams), scheduler, serving->make_detector_,
          [s = serving.get()](const net::SpeechRequest& wanted) { return s->RequestFor(wanted); },
          [s = serving.get()](const Event& event) { s->OfStream(event); }));
  return serving;
}

Result<> Serving::Admit() const {
  if (draining_) return Fail(Errc::kBusy, "the service is being drained");
  const asr::SchedulerStatus status = parts_.scheduler();
  const auto worst = std::ranges::max_element(status.zones);
  if (*worst == memory::Zone::kCritical || status.paused)
    return Fail(Errc::kBusy, "memory is short: {}", status.reason);
  if (status.suspended) return Fail(Errc::kBusy, "the computer is going to sleep");
  if (status.sample.ram_available && *status.sample.ram_available < kSpare + kForOne + Coming())
    return Fail(Errc::kBusy, "only {} of memory are left, with {} clients served",
                FormatBinary(*status.sample.ram_available), begun());
  return {};
}

Bytes Serving::Coming() const {
  const std::size_t jobs = jobs_, streams = streams_->open();
  const MutexLock lock(seen_mutex_);
  const Seen before = seen_.empty() ? Seen{} : seen_.front();
  const auto grown = [](std::size_t from, std::size_t to) {
    return static_cast<std::int64_t>(to - std::min(from, to));
  };
  return Bytes(grown(before.jobs, jobs) * kForOne.n +
               grown(before.streams, streams) * kForStream.n);
}

Result<speech::RecognitionOptions> Serving::RequestFor(const net::SpeechRequest& wanted) const {
  const bool known =
      wanted.model.empty() || wanted.model == "whisper-1" ||
      std::ranges::find(parts_.models, wanted.model, &net::ServedModel::id) != parts_.models.end();
  if (!known) {
    std::string names;
    for (const net::ServedModel& model : parts_.models)
      names += (names.empty() ? "" : ", ") + model.id;
    return Fail(Errc::kNotFound, "model: \"{}\" is not here; there is {}", wanted.model, names);
  }
  return static_cast<const speech::RecognitionOptions&>(wanted);
}

Result<std::unique_ptr<net::TranscriptionJob>> Serving::Transcribe(Fd recording,
                                                                   net::SpeechRequest wanted,
                                                                   net::JobEvents events) {
  const MonoTime began = parts_.clock->Now();
  auto job = BeginJob(std::move(recording), wanted, std::move(events), began);
  if (!job) CountFile(Fail(job.error()), began);
  return job;
}

Result<std::unique_ptr<net::TranscriptionJob>> Serving::BeginJob(Fd recording,
                                                                 const net::SpeechRequest& wanted,
                                                                 net::JobEvents events,
                                                                 MonoTime began) {
  TRY_ASSIGN(speech::RecognitionOptions request, RequestFor(wanted));
  TRY(Admit());
  events.on_end = [this, on_end = std::move(events.on_end),
                   began](Result<net::JobEvents::Outcome> outcome) {
    CountFile(outcome, began);
    on_end(std::move(outcome));
  };
  TRY_ASSIGN(auto job, StartJob(scheduler_, decoder_, make_detector_, std::move(recording),
                                std::move(request), std::move(events)));
  return std::make_unique<Counted>(jobs_, std::move(job));
}

void Serving::CountFile(const Result<net::JobEvents::Outcome>& outcome, MonoTime began) {
  const bool cancelled = !outcome && outcome.error().code == Errc::kCancelled;
  const std::string became = outcome ? "text" : cancelled ? "cancelled" : "failed";
  tally_.Utterance("file", became);
  net::Served served{.source = "file", .outcome = became};
  if (outcome) {
    served.tier = outcome->model;
    served.audio = outcome->duration;
    served.latency = std::chrono::duration_cast<Milliseconds>(parts_.clock->Now() - began);
  }
  publish_(std::move(served));
  if (!outcome && !cancelled) tally_.Error(std::string(Name(outcome.error().code)));
}

void Serving::Expire() {
  streams_->Expire();
  {
    const MonoTime now = parts_.clock->Now();
    const MutexLock lock(seen_mutex_);
    if (seen_.empty() || now - seen_.back().at >= kLookAgain)
      seen_.push_back({now, jobs_, streams_->open()});
    while (seen_.size() > 1 && now - seen_[1].at >= kSampleAge) seen_.pop_front();
  }
  if (decoder_.pid() == 0) return;
  const auto& zones = parts_.scheduler().zones;
  const bool scarce = *std::ranges::max_element(zones) >= memory::Zone::kWarning;
  decoder_.DropAfter(scarce ? Milliseconds(0) : kDecoderWaits);
}

Result<std::unique_ptr<net::SpeechStream>> Serving::OpenStream(
    net::StreamOptions options, std::function<void(const net::StreamEvent&)> on_event) {
  // A client that comes back takes up what is already here.
  if (options.resume.empty()) TRY(Admit());
  return streams_->Open(options, std::move(on_event));
}

net::ServiceState Serving::State() const {
  net::ServiceState state;
  const auto admitted = Admit();
  state.ready = admitted.has_value();
  if (!admitted) {
    state.reason = admitted.error().what;
    state.retry_after = kComeAgain;
  }
  const asr::SchedulerStatus status = parts_.scheduler();
  state.zone = memory::Name(*std::ranges::max_element(status.zones));
  state.queue = scheduler_.queue();
  state.jobs = jobs_;
  state.streams = streams_->open();
  state.models = parts_.models;
  for (net::ServedModel& model : state.models)
    model.loaded = status.tier && status.tiers[*status.tier].model == model.id;
  return state;
}

void Serving::OfStream(const Event& event) {
  if (const auto* text = std::get_if<net::TextDelivered>(&event)) {
    tally_.Utterance("stream", OutcomeOf(*text));
    if (text->latency) stream_latency_.Observe(*text->latency);
    publish_(net::Served{.source = "stream",
                         .outcome = OutcomeOf(*text),
                         .tier = text->tier,
                         .audio = text->audio,
                         .latency = text->latency});
  } else if (std::holds_alternative<net::UtteranceFailed>(event)) {
    tally_.Utterance("stream", "failed");
    publish_(net::Served{.source = "stream", .outcome = "failed"});
  } else {
    publish_(event);  // comes back by Count
  }
}

void Serving::Count(const Event& event) {
  if (const auto* text = std::get_if<net::TextDelivered>(&event)) {
    tally_.Utterance("dictation", OutcomeOf(*text));
    if (text->latency) dictation_latency_.Observe(*text->latency);
  } else if (std::holds_alternative<net::UtteranceFailed>(event)) {
    tally_.Utterance("dictation", "failed");
  } else if (const auto* warning = std::get_if<net::Warning>(&event)) {
    tally_.Error(std::string(Name(warning->error.code)));
  }
}

std::string Serving::Metrics() const {
  net::PrometheusText page;
  WriteMetrics(page,
               {.scheduler = parts_.scheduler(),
                .thresholds = parts_.thresholds,
                .dictation = parts_.dictation(),
                .queue = scheduler_.queue(),
                .waiting = scheduler_.waiting(),
                .jobs = jobs_,
                .streams = streams_->open(),
                .uptime = std::chrono::duration_cast<Milliseconds>(parts_.clock->Now() - began_)});
  tally_.Write(page);
  page.Begin("latency_seconds", "histogram", "From the end of speech to its text.");
  dictation_latency_.Write(page, "dictation");
  stream_latency_.Write(page, "stream");
  std::string text = std::move(page).text();
  if (parts_.servers) text += parts_.servers();
  return text;
}

}  // namespace headroom::app
