#include "app/serving/serving.h"

#include <malloc.h>

#include <algorithm>
#include <nlohmann/json.hpp>
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

std::string OutcomeOf(const nlohmann::json& text) {
  return text.value("failed", false)      ? "failed"
         : text.value("phantom", false)   ? "phantom"
         : text.value("text", "").empty() ? "empty"
         : text.value("delivered", true)  ? "text"
                                          : "undelivered";
}

// What became of somebody's speech, without a word of it.
nlohmann::json Shown(const char* source, const std::string& outcome, const nlohmann::json& of) {
  nlohmann::json shown = {{"source", source}, {"outcome", outcome}};
  for (const char* field : {"tier", "audio_ms", "latency_ms"}) {
    if (of.contains(field)) shown[field] = of[field];
  }
  return shown;
}

}  // namespace

// A job that is counted for as long as somebody holds it.
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

Serving::Serving(ServingParts parts, Switchboard& board, DetectorMaker make_detector,
                 EventSink tell)
    : parts_(std::move(parts)),
      board_(board),
      make_detector_(std::move(make_detector)),
      tell_(std::move(tell)),
      began_(SystemClock().Now()) {}

Serving::~Serving() = default;

Result<std::unique_ptr<Serving>> Serving::Make(ServingParts parts, StreamsOptions streams,
                                               Switchboard& board, DetectorMaker make_detector,
                                               EventSink tell) {
  std::unique_ptr<Serving> serving(
      new Serving(std::move(parts), board, std::move(make_detector), std::move(tell)));
  const auto heard = [s = serving.get()](const Event& event) {
    if (event.name == "served") {
      s->CountText("stream", event.data);
      return s->tell_({"served", Shown("stream", OutcomeOf(event.data), event.data)});
    }
    s->tell_(event);  // comes back by Count
  };
  TRY_ASSIGN(serving->streams_, Streams::Make(
                                    std::move(streams), board, serving->make_detector_,
                                    [s = serving.get()](const net::SpeechRequest& wanted) {
                                      return s->RequestFor(wanted);
                                    },
                                    heard));
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
  const std::lock_guard lock(seen_mutex_);
  const Seen before = seen_.empty() ? Seen{} : seen_.front();
  const auto grown = [](std::size_t from, std::size_t to) {
    return static_cast<std::int64_t>(to - std::min(from, to));
  };
  return Bytes(grown(before.jobs, jobs) * kForOne.n +
               grown(before.streams, streams) * kForStream.n);
}

Result<asr::RunRequest> Serving::RequestFor(const net::SpeechRequest& wanted) const {
  const bool known =
      wanted.model.empty() || wanted.model == "whisper-1" ||
      std::ranges::find(parts_.models, wanted.model, &net::ServedModel::id) != parts_.models.end();
  if (!known) {
    std::string names;
    for (const net::ServedModel& model : parts_.models)
      names += (names.empty() ? "" : ", ") + model.id;
    return Fail(Errc::kNotFound, "model: \"{}\" is not here; there is {}", wanted.model, names);
  }
  asr::RunRequest request;
  request.language = wanted.language;
  request.prompt = wanted.prompt;
  request.translate_to = wanted.translate_to;
  request.unpunctuated = wanted.unpunctuated;
  request.segment_times = wanted.segment_times || wanted.word_times;
  request.word_times = wanted.word_times;
  return request;
}

Result<std::unique_ptr<net::TranscriptionJob>> Serving::Transcribe(Fd recording,
                                                                   net::SpeechRequest wanted,
                                                                   net::JobEvents events) {
  const MonoTime began = SystemClock().Now();
  auto job = BeginJob(std::move(recording), wanted, std::move(events), began);
  if (!job) CountFile(Fail(job.error()), began);
  return job;
}

Result<std::unique_ptr<net::TranscriptionJob>> Serving::BeginJob(Fd recording,
                                                                 const net::SpeechRequest& wanted,
                                                                 net::JobEvents events,
                                                                 MonoTime began) {
  TRY_ASSIGN(asr::RunRequest request, RequestFor(wanted));
  TRY(Admit());
  events.on_end = [this, on_end = std::move(events.on_end),
                   began](Result<net::JobEvents::Outcome> outcome) {
    CountFile(outcome, began);
    on_end(std::move(outcome));
  };
  TRY_ASSIGN(auto job, StartJob(board_, decoder_, make_detector_, std::move(recording),
                                std::move(request), std::move(events)));
  return std::make_unique<Counted>(jobs_, std::move(job));
}

void Serving::CountFile(const Result<net::JobEvents::Outcome>& outcome, MonoTime began) {
  const bool cancelled = !outcome && outcome.error().code == Errc::kCancelled;
  const std::string became = outcome ? "text" : cancelled ? "cancelled" : "failed";
  tally_.Utterance("file", became);
  nlohmann::json of = nlohmann::json::object();
  if (outcome) {
    const auto took = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - began);
    of = {{"tier", outcome->model},
          {"audio_ms", outcome->duration.count()},
          {"latency_ms", took.count()}};
  }
  tell_({"served", Shown("file", became, of)});
  if (!outcome && !cancelled) tally_.Error(std::string(Name(outcome.error().code)));
}

void Serving::Expire() {
  streams_->Expire();
  {
    const MonoTime now = parts_.clock->Now();
    const std::lock_guard lock(seen_mutex_);
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
  // Whoever comes back brings what is here already.
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
  state.queue = board_.queue();
  state.jobs = jobs_;
  state.streams = streams_->open();
  state.models = parts_.models;
  for (net::ServedModel& model : state.models)
    model.loaded = status.tier_title.starts_with(model.id + " ");
  return state;
}

void Serving::CountText(const std::string& source, const nlohmann::json& data) {
  tally_.Utterance(source, OutcomeOf(data));
  (source == "dictation" ? dictation_latency_ : stream_latency_)
      .Observe(Milliseconds(data.value("latency_ms", std::int64_t{0})));
}

void Serving::Count(const Event& event) {
  if (event.name == "text") CountText("dictation", event.data);
  if (event.name == "passed_over") tally_.Utterance("dictation", "failed");
  if (event.name == "trouble") tally_.Error(event.data.value("code", "internal"));
}

std::string Serving::Metrics() const {
  net::PrometheusText page;
  WriteMetrics(page,
               {.scheduler = parts_.scheduler(),
                .thresholds = parts_.thresholds,
                .dictation = parts_.dictation(),
                .queue = board_.queue(),
                .waiting = board_.waiting(),
                .jobs = jobs_,
                .streams = streams_->open(),
                .uptime = std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - began_)});
  tally_.Write(page);
  page.Begin("latency_seconds", "histogram", "From the end of speech to its text.");
  dictation_latency_.Write(page, "dictation");
  stream_latency_.Write(page, "stream");
  std::string text = std::move(page).text();
  if (parts_.servers) text += parts_.servers();
  return text;
}

}  // namespace headroom::app
