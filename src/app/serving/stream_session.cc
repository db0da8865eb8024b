#include "app/serving/stream_session.h"

#include <algorithm>
#include <utility>

#include "audio/format/format.h"

namespace headroom::app {
namespace {

using net::StreamEvent;

constexpr std::size_t kPerSecond = 16'000;
constexpr std::size_t kMostQueued = 10 * kPerSecond;
constexpr std::size_t kMostOrders = 4'096;
constexpr std::size_t kLongestItem = 60 * kPerSecond;  // then it is committed
constexpr std::size_t kPartialEvery = kPerSecond;
constexpr Milliseconds kLeastRoom{3'000};   // in the spool, besides what is queued
constexpr Milliseconds kItemRoom{1'000};    // what an item takes there besides its audio, at most
constexpr std::size_t kMostEvents = 1'024;  // for a client, before partial texts are left out
constexpr Milliseconds kLook{100};

Milliseconds LengthOf(std::size_t samples) {
  return audio::DurationOf(static_cast<std::int64_t>(samples));
}

StreamEvent ItemEvent(StreamEvent::Kind kind, std::uint64_t item) {
  StreamEvent event;
  event.kind = kind;
  event.item = item;
  return event;
}

StreamEvent EventOf(const UnackedResult& result) {
  StreamEvent event;
  event.kind = result.failed.empty() ? StreamEvent::Kind::kText : StreamEvent::Kind::kFailed;
  event.item = result.item;
  event.audio = result.audio;
  event.text = result.text;
  event.language = result.language;
  if (!result.failed.empty()) event.error = {result.code, result.failed};
  return event;
}

}  // namespace

Result<speech::EndpointOptions> EndpointFor(const net::TurnDetection& turns) {
  if (!(turns.threshold > 0 && turns.threshold <= 1))
    return Fail(Errc::kInvalid, "threshold: has to be above 0 and at most 1");
  if (turns.prefix_padding < Milliseconds(0) || turns.prefix_padding > Milliseconds(5'000))
    return Fail(Errc::kInvalid, "prefix_padding_ms: has to be from 0 to 5000");
  if (turns.silence < Milliseconds(100) || turns.silence > Milliseconds(6'000))
    return Fail(Errc::kInvalid, "silence_duration_ms: has to be from 100 to 6000");
  speech::EndpointOptions options;
  options.enter = static_cast<float>(turns.threshold);
  options.leave = std::max(0.01F, std::min(options.leave, options.enter * 0.7F));
  options.pre_roll = turns.prefix_padding;
  options.silence = turns.silence;
  options.pause = std::min(options.pause, turns.silence / 2);
  TRY(speech::Check(options));
  return options;
}

Result<std::shared_ptr<StreamSession>> StreamSession::Make(const std::filesystem::path& folder,
                                                           Bytes spool, asr::Scheduler& scheduler,
                                                           DetectorMaker make_detector,
                                                           EventSink publish, const Clock& clock) {
  UnackedResults unacked;
  TRY_ASSIGN(ResultFile file, ResultFile::Open(folder / "texts", unacked));
  TRY_ASSIGN(auto opened, speech::Spool::Open(folder / "spool",
                                              {.size = spool, .keep = false, .clock = &clock}));
  std::shared_ptr<StreamSession> session(new StreamSession(
      std::move(make_detector), std::move(publish), std::move(unacked), std::move(file), clock));
  DeliverySink& delivery_sink = *session;
  session->pipeline_ = std::make_unique<UtterancePipeline>(
      PipelineOptions{.request = {}, .retry = {.tries = 3, .after = Milliseconds(5'000)}},
      std::move(opened), delivery_sink,
      [s = session.get()](const Event& event) { s->InPipeline(event); }, clock);
  try {
    session->pipeline_->Start(scheduler, asr::Urgency::kStream);
    session->thread_ = std::thread([s = session.get()] { s->Loop(); });
  } catch (const std::system_error& error) {
    return Fail(Errc::kNoMemory, "no thread for another stream: {}", error.what());
  }
  const bool nothing_waits = session->pipeline_->status().waiting == 0;
  const MutexLock lock(session->client_mutex_);
  session->left_at_ = clock.Now();
  session->silent_ = nothing_waits && session->unacked_.result().empty();
  return session;
}

StreamSession::~StreamSession() {
  {
    const MutexLock lock(mutex_);
    end_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  pipeline_->Stop();
}

// ---- the client ----

std::uint64_t StreamSession::Attach(StreamConfig config, std::uint64_t have, OnEvent on_event) {
  std::uint64_t client = 0;
  {
    const MutexLock lock(client_mutex_);
    on_event_ = std::make_shared<const OnEvent>(std::move(on_event));
    client = ++client_;
    unacked_.Acknowledge(have);
    for (const UnackedResult& result : unacked_.result()) out_.Push({client, EventOf(result)});
  }
  out_.Run();
  Configure(std::move(config));
  pipeline_->SetListening(true);
  return client;
}

void StreamSession::Detach(std::uint64_t client) {
  bool gone = false;
  {
    const MutexLock lock(client_mutex_);
    if (client == client_) {
      on_event_ = nullptr;
      left_at_ = clock_.Now();
      gone = true;
    }
  }
  out_.Flush();  // it may be in the middle of an event
  if (!gone) return;
  pipeline_->SetListening(false);
  static_cast<void>(Give({.what = What::kLeave}));
}

bool StreamSession::attached() const {
  const MutexLock lock(client_mutex_);
  return on_event_ != nullptr;
}

MonoTime StreamSession::left_at() const {
  const MutexLock lock(client_mutex_);
  return left_at_;
}

// In the order in which audio becomes text, so that nothing is missed on its way.
bool StreamSession::spent() const {
  if (silent_) return true;
  {
    const MutexLock lock(mutex_);
    if (doing_ || !orders_.empty()) return false;
  }
  if (pipeline_->status().waiting > 0) return false;
  const MutexLock lock(client_mutex_);
  return unacked_.result().empty();
}

bool StreamSession::Give(Order order) {
  {
    const MutexLock lock(mutex_);
    if (orders_.size() >= kMostOrders && order.what != What::kLeave) return false;
    queued_ += order.samples.size();
    if (order.what == What::kCommit) ++queued_commits_;
    orders_.push_back(std::move(order));
  }
  changed_.NotifyAll();
  return true;
}

Result<> StreamSession::Append(std::span<const float> samples) {
  if (samples.empty()) return {};
  if (samples.size() > kMostQueued) return Fail(Errc::kInvalid, "more than 10 s of audio at once");
  Milliseconds needed = kLeastRoom + AppendPace::kMostWaiting;
  {
    const MutexLock lock(mutex_);
    if (queued_ + samples.size() > kMostQueued)
      return Fail(Errc::kBusy, "10 s of audio wait to be listened to");
    needed += LengthOf(queued_ + samples.size());
    needed += queued_commits_ * kItemRoom;
  }
  if (pipeline_->status().room < needed)
    return Fail(Errc::kBusy, "the speech that waits for its text fills the spool");
  if (!Give({.what = What::kSamples, .samples = {samples.begin(), samples.end()}}))
    return Fail(Errc::kBusy, "too much waits");
  silent_ = false;
  const MutexLock lock(mutex_);
  uncommitted_ += samples.size();
  return {};
}

Result<> StreamSession::Commit() {
  {
    const MutexLock lock(mutex_);
    if (uncommitted_ == 0) return Fail(Errc::kInvalid, "there is no audio to commit");
    uncommitted_ = 0;
  }
  return Give({.what = What::kCommit}) ? Result<>() : Fail(Errc::kBusy, "too much waits");
}

void StreamSession::Clear() {
  {
    const MutexLock lock(mutex_);
    uncommitted_ = 0;
  }
  static_cast<void>(Give({.what = What::kClear}));
}

void StreamSession::Configure(StreamConfig config) {
  static_cast<void>(Give({.what = What::kConfigure, .config = std::move(config)}));
}

void StreamSession::Acknowledge(std::uint64_t item) {
  const MutexLock lock(client_mutex_);
  unacked_.Acknowledge(item);
}

void StreamSession::Finish(std::uint64_t client, std::function<void()> on_idle) {
  static_cast<void>(Give({.what = What::kFinish, .client = client, .on_idle = std::move(on_idle)}));
}

// ---- events of the pipeline ----

void StreamSession::Emit(StreamEvent event) {
  if (event.kind == StreamEvent::Kind::kPartial && out_.queued() >= kMostEvents) return;
  {
    const MutexLock lock(client_mutex_);
    if (on_event_) out_.Push({client_, std::move(event)});
  }
  out_.Run();
}

void StreamSession::HandOver(const Out& out) {
  std::shared_ptr<const OnEvent> on_event;
  {
    const MutexLock lock(client_mutex_);
    if (out.client == client_) on_event = on_event_;
  }
  if (!on_event) return;
  if (out.on_idle) return out.on_idle();
  (*on_event)(out.event);
}

void StreamSession::Warn(const Error& error) {
  StreamEvent event;
  event.kind = StreamEvent::Kind::kWarning;
  event.error = error;
  Emit(std::move(event));
}

// On disk before the client hears of it, and once.
void StreamSession::Keep(UnackedResult result) {
  std::optional<std::string> lines;
  {
    const MutexLock lock(client_mutex_);
    if (!unacked_.IsNew(result.item)) return;
    if (file_.Outgrown(unacked_.bytes())) lines = unacked_.Lines();
  }
  // Where that fails, the line may still have room.
  Result<> kept = Fail(Errc::kNoSpace, "");
  if (lines) kept = file_.Rewrite(std::move(*lines), result);
  if (!kept) kept = file_.Append(result);
  if (!kept) publish_(net::Warning{kept.error()});
  {
    const MutexLock lock(client_mutex_);
    if (on_event_) out_.Push({client_, EventOf(result)});
    unacked_.Add(std::move(result));
  }
  out_.Run();
}

Result<> StreamSession::Deliver(const FinalText& final_text, const std::string& composed) {
  Keep({.item = final_text.id,
        .text = composed,
        .language = final_text.language,
        .audio = final_text.audio});
  return {};
}

void StreamSession::InPipeline(const Event& event) {
  std::visit(net::Visitor{
                 [this](const net::SpeechBegan& e) {
                   StreamEvent out = ItemEvent(StreamEvent::Kind::kStarted, e.utterance);
                   out.at = begin();
                   if (config_.turns) Emit(std::move(out));
                 },
                 [this](const net::SpeechEnded& e) {
                   StreamEvent out = ItemEvent(StreamEvent::Kind::kStopped, e.utterance);
                   out.audio = e.audio;
                   out.at = begin() + e.audio;
                   if (config_.turns) Emit(out);
                   out.kind = StreamEvent::Kind::kCommitted;
                   Emit(std::move(out));
                 },
                 [this](const net::SpeechDropped& e) {
                   Emit(ItemEvent(StreamEvent::Kind::kDropped, e.utterance));
                 },
                 [this](const net::PartialText& e) {
                   StreamEvent out = ItemEvent(StreamEvent::Kind::kPartial, e.utterance);
                   out.text = e.committed;
                   out.tentative = e.tentative;
                   Emit(std::move(out));
                 },
                 [this](const net::TextDelivered& e) {
                   publish_(e);
                   // Where nothing was said there is nothing to deliver.
                   if (e.text.empty())
                     Keep({.item = e.utterance, .language = e.language, .audio = e.audio});
                 },
                 [this](const net::UtteranceFailed& e) {
                   publish_(e);
                   const std::string& why = e.error.what;
                   Keep({.item = e.utterance,
                         .failed = why.empty() ? "it could not be decoded" : why,
                         .code = e.error.code});
                 },
                 [this](const net::Warning& e) {
                   publish_(e);
                   // One that is tried again has lost its client nothing yet.
                   if (!e.again.value_or(false)) Warn(e.error);
                 },
                 [](const auto&) {},
             },
             event);
}

// ---- the thread ----

void StreamSession::Loop() {
  while (true) {
    Order order;
    {
      const MutexLock lock(mutex_);
      changed_.Wait(mutex_, [this]() REQUIRES(mutex_) { return end_ || !orders_.empty(); });
      if (end_) break;
      order = std::move(orders_.front());
      orders_.pop_front();
      doing_ = true;
    }
    const std::size_t samples = order.samples.size();
    Do(order);
    const MutexLock lock(mutex_);  // only now is it in the spool
    doing_ = false;
    queued_ -= samples;
    if (order.what == What::kCommit) --queued_commits_;
  }
  static_cast<void>(EndOpen());
}

void StreamSession::Do(Order& order) {
  switch (order.what) {
    case What::kSamples:
      if (const audio::FiniteSpan samples(order.samples); config_.turns)
        Hear(samples);
      else
        Gather(samples);
      heard_ += static_cast<std::int64_t>(order.samples.size());
      return;
    case What::kCommit:
      if (!EndOpen())
        Warn({Errc::kInvalid, "nothing was committed: there was no speech in the audio"});
      return;
    case What::kClear:
      DropOpen();
      return;
    case What::kConfigure:
      Apply(std::move(order.config));
      return;
    case What::kLeave:
      static_cast<void>(EndOpen());
      segmenter_.reset();
      detector_.reset();
      return;
    case What::kFinish:
      static_cast<void>(EndOpen());
      while (!pipeline_->WaitUntilEmpty(kLook)) {
        const MutexLock lock(mutex_);
        if (end_) return;
      }
      if (order.on_idle) out_.Push({order.client, {}, std::move(order.on_idle)});
      out_.Run();
      return;
  }
}

bool StreamSession::PrepareDetector() {
  if (segmenter_) return true;
  if (!detector_) {
    auto made = make_detector_();
    if (!made) {
      Warn(made.error());
      return false;
    }
    detector_ = std::move(*made);
  }
  detector_began_ = heard_;
  const SegmenterOptions options{
      .endpoint = *config_.turns,
      .partial_every = config_.partials ? SegmenterOptions().partial_every : Milliseconds(0)};
  segmenter_.emplace(options, *detector_, *pipeline_,
                     SegmenterEvents{.on_change =
                                         [this](const speech::Change& change) {
                                           if (change.kind == speech::SpeechChange::kBegin)
                                             begin_ = detector_began_ + change.begin;
                                         },
                                     .on_warning = [this](const Error& error) { Warn(error); }},
                     clock_);
  return true;
}

void StreamSession::Hear(audio::FiniteSpan samples) {
  if (!PrepareDetector()) return;
  auto rest = samples.samples();
  while (!rest.empty()) {
    const auto block = rest.first(std::min(rest.size(), speech::Listener::kMostAtOnce));
    // on_warning has said why not
    static_cast<void>(segmenter_->Take(audio::FiniteSpan::OfFinite(block)));
    rest = rest.subspan(block.size());
  }
}

void StreamSession::Gather(audio::FiniteSpan more) {
  const auto samples = more.samples();
  if (!gathering_) {
    begin_ = heard_;
    if (const auto begun = pipeline_->Begin(); !begun) return Warn(begun.error());
    gathering_ = true;
    appended_ = offered_ = 0;
    gathered_.clear();
  }
  gathered_.insert(gathered_.end(), samples.begin(), samples.end());
  if (pace_.Due(LengthOf(gathered_.size() - appended_))) AppendGathered();
  if (config_.partials && gathered_.size() - offered_ >= kPartialEvery) {
    offered_ = gathered_.size();
    if (pipeline_->WantsPartial(LengthOf(offered_)))
      pipeline_->Partial(audio::FiniteAudio::OfFinite(gathered_));
  }
  if (gathered_.size() >= kLongestItem) static_cast<void>(EndOpen());
}

void StreamSession::AppendGathered() {
  const auto kept = pipeline_->Append(std::span(gathered_).subspan(appended_));
  if (!kept) Warn(kept.error());
  appended_ = gathered_.size();
}

bool StreamSession::EndOpen() {
  if (gathering_) {
    AppendGathered();
    gathering_ = false;
    if (const auto kept =
            pipeline_->End({}, static_cast<std::int64_t>(gathered_.size()), {}, Milliseconds(0));
        !kept)
      Warn(kept.error());
    gathered_ = {};
    return true;
  }
  if (!segmenter_ || !segmenter_->open()) return false;
  static_cast<void>(segmenter_->Finish());
  segmenter_.reset();
  return true;
}

void StreamSession::DropOpen() {
  if (gathering_) pipeline_->Drop();
  gathering_ = false;
  gathered_ = {};
  if (segmenter_) segmenter_->Cancel();
  segmenter_.reset();
}

void StreamSession::Apply(StreamConfig config) {
  // What is open is decoded as it was begun, unless the way it ends changes.
  if (config.turns != config_.turns || config.partials != config_.partials) {
    static_cast<void>(EndOpen());
    segmenter_.reset();
  }
  pipeline_->SetRequest(config.request);
  config_ = std::move(config);
}

}  // namespace headroom::app
