#include "app/dictation/utterance_pipeline.h"

#include <algorithm>
#include <utility>

#include "audio/format/format.h"
#include "base/check.h"
#include "speech/text/hallucination.h"
#include "speech/text/stitch.h"

namespace headroom::app {
namespace {

// From the start of one partial decode to the next. Twice what one takes leaves half of the
// CPU to others; more than kPartialsMost is no live text any more.
constexpr Milliseconds kPartialsLeast{700}, kPartialsMost{2'500};

// An utterance that was cut is followed by the next at once, or by silence.
constexpr Milliseconds kContinuedWithin{2'000};
constexpr Milliseconds kSubmitAgain{250};  // after the scheduler had no room

Milliseconds Between(MonoTime from, MonoTime to) {
  return std::chrono::duration_cast<Milliseconds>(to - from);
}

std::string TextOf(const speech::Transcript& transcript) {
  std::string text;
  for (const speech::Segment& segment : transcript.segments) {
    if (!text.empty()) text += ' ';
    text += segment.text;
  }
  return text;
}

}  // namespace

UtterancePipeline::UtterancePipeline(PipelineOptions options, std::unique_ptr<speech::Spool> spool,
                                     DeliverySink& delivery_sink, EventSink events,
                                     const Clock& clock)
    : options_(std::move(options)),
      delivery_sink_(delivery_sink),
      clock_(clock),
      events_(std::move(events)),
      spool_(std::move(spool)),
      request_(options_.request) {}

UtterancePipeline::~UtterancePipeline() {
  Stop();
}

void UtterancePipeline::Start(asr::Scheduler& scheduler, asr::Urgency urgency) {
  Recover();
  {
    const Section section(*this);
    client_ = scheduler.Connect(
        urgency,
        {.on_decoded = [this](asr::Decoded decoded) { OnDecoded(std::move(decoded)); },
         .on_speculated =
             [this](asr::Speculated speculated) { OnSpeculated(std::move(speculated)); },
         .on_retried = [this](const asr::Retried& retried) { OnRetried(retried); }},
        options_.retry);
    Feed();
  }
  thread_ = std::thread([this] { Loop(); });
}

void UtterancePipeline::Stop() {
  std::unique_ptr<asr::Scheduler::Client> client;  // its events take the mutex
  {
    const MutexLock lock(mutex_);
    end_ = true;
    client = std::move(client_);
  }
  client.reset();
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

// ---- what an earlier run left ----

void UtterancePipeline::Recover() {
  if (!spool_) return;
  std::vector<speech::Pending> found = spool_->pending();
  NoteRoom();
  if (found.empty()) return;
  const Section section(*this);
  for (speech::Pending& pending : found) TakeUp(std::move(pending));
  events_.Push(net::Recovered{sentences_.size()});
}

void UtterancePipeline::TakeUp(speech::Pending pending) {
  auto sentence = std::make_unique<Sentence>();
  sentence->id = pending.id;
  sentence->request = request_;
  if (!pending.head.language.empty()) sentence->request.language = pending.head.language;
  sentence->length = audio::DurationOf(pending.samples);
  sentence->began = pending.head.began;
  sentence->spoken_at = sentence->endpoint_at = clock_.Now();
  sentence->recovered = true;
  sentence->step = Step::kWaiting;
  if (pending.state == speech::SpoolState::kDecoded ||
      pending.state == speech::SpoolState::kOffered) {
    sentence->repeated = pending.state == speech::SpoolState::kOffered;
    sentence->result.emplace();
    sentence->result->transcript.language = pending.head.language;
    sentence->result->transcript.segments.push_back(
        {Milliseconds(0), sentence->length, std::move(pending.text), {}});
    sentence->step = Step::kDecoded;
  }
  sentences_.push_back(std::move(sentence));
  ++counts_.recovered;
}

// ---- the sink of the thread that listens ----

void UtterancePipeline::SetListening(bool listening) {
  const MutexLock lock(mutex_);
  if (client_) client_->SetWanted(listening);
}

UtterancePipeline::Sentence* UtterancePipeline::Open() {
  return sentences_.empty() || sentences_.back()->step != Step::kOpen ? nullptr
                                                                      : sentences_.back().get();
}

UtterancePipeline::Sentence* UtterancePipeline::Find(std::uint64_t id) {
  const auto it = std::find_if(sentences_.begin(), sentences_.end(),
                               [id](const auto& sentence) { return sentence->id == id; });
  return it == sentences_.end() ? nullptr : it->get();
}

// For status(), which must not wait for the disk.
void UtterancePipeline::NoteRoom() {
  if (spool_) room_ = spool_->free();
}

Result<> UtterancePipeline::Begin() {
  auto sentence = std::make_unique<Sentence>();
  sentence->began = clock_.WallNow();
  {
    const MutexLock lock(mutex_);
    CHECK(Open() == nullptr);
    sentence->request = request_;
    if (!spool_) sentence->id = next_id_++;
  }
  if (spool_) {
    TRY_ASSIGN(sentence->id, spool_->Begin({.session = options_.session,
                                            .began = sentence->began,
                                            .language = sentence->request.language}));
    NoteRoom();
  }
  {
    const MutexLock lock(mutex_);
    ++counts_.begun;
    partial_took_ /= 2;  // so that one bad moment does not end partial text for good
    events_.Push(net::SpeechBegan{sentence->id});
    sentences_.push_back(std::move(sentence));
  }
  events_.Flush();
  return {};
}

Result<> UtterancePipeline::Append(std::span<const float> samples) {
  speech::UtteranceId id = 0;
  {
    const MutexLock lock(mutex_);
    const Sentence* sentence = Open();
    CHECK(sentence != nullptr);
    id = sentence->id;
  }
  if (!spool_) return {};
  auto kept = spool_->Append(id, samples);
  NoteRoom();
  return kept;
}

void UtterancePipeline::Speculate(Sentence& sentence, audio::FiniteAudio audio, bool early) {
  if (!client_) return;
  if (early) sentence.audio = audio;
  (early ? sentence.early : sentence.partial) = client_->Speculate(
      {.id = sentence.id, .options = sentence.request, .audio = std::move(audio)}, early);
}

bool UtterancePipeline::WantsPartial(Milliseconds length) {
  const MutexLock lock(mutex_);
  const Sentence* sentence = Open();
  // One at a time, and not while earlier utterances wait for their text.
  if (sentence == nullptr || sentence->partial != 0) return false;
  const auto undecoded = [](const auto& one) {
    return one->step == Step::kWaiting || one->step == Step::kSubmitted;
  };
  if (std::ranges::any_of(sentences_, undecoded)) return false;
  const speech::PartialPace pace{.interval =
                                     std::clamp(2 * partial_took_, kPartialsLeast, kPartialsMost)};
  return speech::MayStartPartial(pace, Between(partial_began_, clock_.Now()), length, 0,
                                 partial_took_);
}

void UtterancePipeline::Partial(audio::FiniteAudio so_far) {
  const MutexLock lock(mutex_);
  Sentence* sentence = Open();
  if (sentence == nullptr) return;
  partial_began_ = clock_.Now();
  Speculate(*sentence, std::move(so_far), false);
}

void UtterancePipeline::Pause(audio::FiniteAudio whole) {
  const MutexLock lock(mutex_);
  if (Sentence* sentence = Open()) {
    sentence->partial = 0;
    Speculate(*sentence, std::move(whole), true);
  }
}

void UtterancePipeline::Resume() {
  const MutexLock lock(mutex_);
  Sentence* sentence = Open();
  if (sentence == nullptr) return;
  sentence->early = sentence->partial = 0;
  sentence->audio = {};
  if (client_) client_->CancelSpeculation();
}

void UtterancePipeline::Continues() {
  const MutexLock lock(mutex_);
  if (Sentence* sentence = Open()) sentence->continues = true;
}

Result<> UtterancePipeline::End(audio::FiniteAudio whole, std::int64_t length,
                                const speech::Evidence& evidence, Milliseconds silence) {
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    const Sentence* sentence = Open();
    CHECK(sentence != nullptr);
    id = sentence->id;
  }
  Result<> kept;
  if (spool_) kept = spool_->End(id, length);
  NoteRoom();
  Close(std::move(whole), length, evidence, silence);
  events_.Flush();
  return kept;
}

void UtterancePipeline::Close(audio::FiniteAudio whole, std::int64_t length,
                              const speech::Evidence& evidence, Milliseconds silence) {
  const MutexLock lock(mutex_);
  Sentence* sentence = Open();  // only this thread ends or drops it
  sentence->step = Step::kWaiting;
  sentence->endpoint_at = clock_.Now();
  sentence->spoken_at = sentence->endpoint_at - silence;
  sentence->length = audio::DurationOf(length);
  if (!whole.empty()) {
    sentence->evidence = evidence;
    // The audio of the pause is that of the end, unless the utterance was cut.
    if (sentence->audio != whole) {
      sentence->early = 0;
      sentence->audio = std::move(whole);
    }
  }
  events_.Push(net::SpeechEnded{sentence->id, sentence->length});
  Feed();
  changed_.NotifyAll();
}

void UtterancePipeline::Drop() {
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    const Sentence* sentence = Open();
    if (sentence == nullptr) return;
    if (client_) client_->CancelSpeculation();
    id = sentence->id;
    events_.Push(net::SpeechDropped{id});
    sentences_.pop_back();
  }
  events_.Flush();
  if (spool_) Spooled("drop an utterance", spool_->Discard(id));
}

// ---- decoding: events come on the scheduler's thread ----

// Up to the first whose audio has to be read from the spool.
void UtterancePipeline::Feed() {
  refused_ = false;
  if (!client_ || end_) return;
  for (const auto& sentence : sentences_) {
    if (submitted_ >= options_.most_submitted) return;
    if (sentence->step != Step::kWaiting) continue;
    if (sentence->audio.empty()) return changed_.NotifyAll();
    const auto submitted = client_->Submit({.id = sentence->id,
                                            .options = sentence->request,
                                            .audio = sentence->audio,
                                            .adopt = sentence->early});
    if (!submitted) {
      refused_ = submitted.error().code == Errc::kBusy;
      if (refused_) changed_.NotifyAll();
      if (submitted.error().code != Errc::kInvalid) return;
      PassOver(*sentence, submitted.error());
      continue;
    }
    sentence->step = Step::kSubmitted;
    ++submitted_;
  }
}

UtterancePipeline::Sentence* UtterancePipeline::Unread() {
  if (!client_ || submitted_ >= options_.most_submitted) return nullptr;
  const auto found = std::ranges::find_if(sentences_, [](const auto& sentence) {
    return sentence->step == Step::kWaiting && sentence->audio.empty();
  });
  return found == sentences_.end() ? nullptr : found->get();
}

// The thread's own; only it removes what is not open.
void UtterancePipeline::ReadAudio() {
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    const Sentence* sentence = Unread();
    if (sentence == nullptr) return;
    id = sentence->id;
  }
  auto audio =
      spool_ ? spool_->Audio(id) : Result<std::vector<float>>(Fail(Errc::kNotFound, "no spool"));
  const Section section(*this);
  Sentence* sentence = Find(id);
  if (sentence == nullptr || sentence->step != Step::kWaiting) return;
  if (!audio || audio->empty()) {
    sentence->step = Step::kFailed;
    sentence->error = audio ? Error{Errc::kNotFound, "nothing of it was kept"} : audio.error();
  } else {
    sentence->audio = audio::FiniteAudio::OfFinite(std::move(*audio));
    sentence->length = sentence->audio.duration();
  }
  Feed();
}

void UtterancePipeline::PassOver(Sentence& sentence, const Error& error) {
  sentence.step = Step::kFailed;
  sentence.error = error;
  sentence.audio = {};
  PushFailure(sentence, error, false);
}

void UtterancePipeline::PushFailure(const Sentence& sentence, const Error& error, bool again) {
  events_.Push(
      net::Warning{Error(error).Within("an utterance could not be decoded"), sentence.id, again});
}

void UtterancePipeline::OnDecoded(asr::Decoded decoded) {
  const Section section(*this);
  if (submitted_ > 0) --submitted_;
  Sentence* sentence = Find(decoded.id);
  if (sentence == nullptr || sentence->step != Step::kSubmitted) return Feed();
  if (!decoded.result) {
    if (decoded.result.error().code == Errc::kCancelled) {
      sentence->step = Step::kWaiting;  // the service ends; it stays in the spool
    } else {
      PassOver(*sentence, decoded.result.error());
    }
  } else {
    sentence->step = Step::kDecoded;
    sentence->result = std::move(*decoded.result);
    sentence->tier = std::move(decoded.tier);
    sentence->took = Between(sentence->endpoint_at, clock_.Now());
    sentence->adopted = decoded.adopted;
    sentence->audio = {};
  }
  Feed();
  changed_.NotifyAll();
}

void UtterancePipeline::OnRetried(const asr::Retried& retried) {
  const Section section(*this);
  const Sentence* sentence = Find(retried.id);
  if (sentence != nullptr && sentence->step == Step::kSubmitted)
    PushFailure(*sentence, retried.error, true);
}

void UtterancePipeline::OnSpeculated(asr::Speculated speculated) {
  const Section section(*this);
  Sentence* sentence = Find(speculated.id);
  if (sentence == nullptr || sentence->step != Step::kOpen) return;
  if (speculated.ticket == sentence->partial) {
    sentence->partial = 0;
    partial_took_ = (partial_took_ + Between(partial_began_, clock_.Now())) / 2;
  } else if (speculated.ticket != sentence->early) {
    return;
  }
  if (!speculated.result) return;
  const auto shown = sentence->agreement.Update(TextOf(speculated.result->transcript));
  events_.Push(net::PartialText{sentence->id, shown.committed, shown.tentative});
}

// ---- delivery: a thread of its own ----

// Until then a next utterance has begun, if there is one.
MonoTime UtterancePipeline::ContinuedBy(const Sentence& sentence) const {
  return sentence.endpoint_at + kContinuedWithin;
}

bool UtterancePipeline::HeadSettled() {
  const auto settled = [](const Sentence& sentence) {
    return sentence.step == Step::kDecoded || sentence.step == Step::kFailed ||
           sentence.step == Step::kDropped;
  };
  if (sentences_.empty() || !settled(*sentences_.front())) return false;
  Sentence& head = *sentences_.front();
  if (!head.continues || head.step != Step::kDecoded) return true;
  if (sentences_.size() == 1) return clock_.Now() >= ContinuedBy(head);
  Sentence& next = *sentences_[1];
  if (!settled(next)) return false;
  head.continues = false;
  if (next.step != Step::kDecoded) return true;
  speech::Stitch(head.result->transcript.segments, next.result->transcript.segments);
  head.stitched = next.stitched = true;
  return true;
}

// How long the thread may wait; nullopt: until something changes.
std::optional<Milliseconds> UtterancePipeline::NextLook() const {
  if (refused_) return kSubmitAgain;
  if (sentences_.size() != 1 || !sentences_.front()->continues ||
      sentences_.front()->step != Step::kDecoded)
    return std::nullopt;
  // A second at most, so that a clock that is not the machine's works too.
  return std::clamp(Between(clock_.Now(), ContinuedBy(*sentences_.front())), Milliseconds(10),
                    Milliseconds(1'000));
}

void UtterancePipeline::Loop() {
  while (true) {
    switch (NextTask()) {
      case Task::kEnd:
        return;
      case Task::kSettle:
        Settle();
        break;
      case Task::kRead:
        ReadAudio();
        break;
      case Task::kFeed: {
        const Section section(*this);
        Feed();
        break;
      }
    }
  }
}

UtterancePipeline::Task UtterancePipeline::NextTask() {
  const MutexLock lock(mutex_);
  while (!end_) {
    if (HeadSettled()) return Task::kSettle;
    if (Unread() != nullptr) return Task::kRead;
    if (const auto look = NextLook()) {
      changed_.WaitFor(mutex_, *look);
      if (refused_) return Task::kFeed;
    } else {
      changed_.Wait(mutex_);
    }
  }
  return Task::kEnd;
}

// A failure here costs durability, not the service.
void UtterancePipeline::Spooled(const char* doing, const Result<>& result) {
  NoteRoom();
  if (result) return;
  events_.Push(net::Warning{Error(result.error()).Within(std::string("spool: ") + doing)});
  events_.Run();
}

bool UtterancePipeline::DropHead() {
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    if (sentences_.front()->step != Step::kDropped) return false;
    id = sentences_.front()->id;
    sentences_.pop_front();
  }
  changed_.NotifyAll();
  if (spool_) Spooled("drop an utterance", spool_->Discard(id));
  return true;
}

UtterancePipeline::Head UtterancePipeline::TakeHead() {
  const MutexLock lock(mutex_);
  delivering_ = true;
  Sentence& sentence = *sentences_.front();
  Head head;
  head.spoken_at = sentence.spoken_at;
  head.text = {
      .id = sentence.id, .tier = sentence.tier, .audio = sentence.length, .took = sentence.took};
  head.text.spoken = sentence.began;
  head.text.repeated = sentence.repeated;
  head.failed = sentence.step == Step::kFailed;
  head.adopted = sentence.adopted;
  head.error = sentence.error;
  head.recovered = sentence.recovered;
  if (head.failed) return head;
  const speech::Transcript& transcript = sentence.result->transcript;
  head.text.language =
      transcript.language.empty() ? sentence.request.language : transcript.language;
  head.text.text = TextOf(transcript);
  if (!sentence.stitched) head.text.text = sentence.agreement.Final(head.text.text);
  head.hallucination =
      sentence.evidence &&
      speech::IsHallucination(head.text.text, head.text.language, *sentence.evidence);
  if (head.hallucination) head.text.text.clear();
  return head;
}

void UtterancePipeline::Settle() {
  if (DropHead()) return;
  const Head head = TakeHead();
  events_.Flush();  // what happened before its text
  std::string composed;
  Result<> arrived;
  if (!head.text.text.empty()) composed = delivery_sink_.Compose(head.text);
  if (!composed.empty()) {
    if (spool_ && !head.text.repeated) {
      Spooled("keep a text", spool_->SetDecoded(head.text.id, head.text.text));
      Spooled("mark a text as offered", spool_->SetOffered(head.text.id));
    }
    arrived = delivery_sink_.Deliver(head.text, composed);
  }
  std::optional<Milliseconds> latency;
  if (!head.recovered) latency = Between(head.spoken_at, clock_.Now());
  const auto done_with = [&] {
    if (spool_) Spooled("mark a text as delivered", spool_->SetDelivered(head.text.id));
  };
  if (head.failed) {
    events_.Push(net::UtteranceFailed{head.text.id, head.error});
  } else {
    if (arrived) done_with();
    net::TextDelivered event{.utterance = head.text.id,
                             .text = composed,
                             .language = head.text.language,
                             .tier = head.text.tier,
                             .audio = head.text.audio,
                             .adopted = head.adopted,
                             .hallucination = head.hallucination};
    if (!head.recovered) event.decoded = head.text.took;
    event.latency = latency;
    if (!arrived) event.failure = arrived.error();
    events_.Push(std::move(event));
  }
  events_.Flush();
  if (!head.failed) {
    // What did not arrive and is remembered nowhere else stays in the spool.
    const bool kept =
        !composed.empty() && delivery_sink_.Remember(head.text, composed, arrived, latency);
    if (!arrived && kept) done_with();
  }

  const Section section(*this);
  delivering_ = false;
  sentences_.pop_front();
  if (head.failed) {
    ++counts_.passed_over;
  } else if (head.hallucination) {
    ++counts_.hallucinations;
  } else if (composed.empty()) {
    ++counts_.empty;
  } else {
    ++counts_.delivered;
    if (latency) last_latency_ = latency;
  }
  Feed();
  changed_.NotifyAll();
}

// ---- any thread ----

void UtterancePipeline::CancelWaiting() {
  const MutexLock lock(mutex_);
  for (auto it = sentences_.begin() + (delivering_ ? 1 : 0); it != sentences_.end(); ++it) {
    Sentence& sentence = **it;
    if (sentence.step == Step::kOpen) continue;
    if (sentence.step == Step::kSubmitted && client_) client_->Cancel(sentence.id);
    sentence.step = Step::kDropped;
    sentence.audio = {};
  }
  changed_.NotifyAll();
}

void UtterancePipeline::SetRequest(speech::RecognitionOptions request) {
  const MutexLock lock(mutex_);
  request_ = std::move(request);
}

PipelineStatus UtterancePipeline::status() const {
  PipelineStatus status;
  status.spooled = spool_ != nullptr;
  status.room = room_;
  const MutexLock lock(mutex_);
  for (const auto& sentence : sentences_) {
    if (sentence->step == Step::kOpen) continue;
    ++status.waiting;
    status.queue += sentence->length;
  }
  status.counts = counts_;
  status.last_latency = last_latency_;
  return status;
}

bool UtterancePipeline::WaitUntilEmpty(Milliseconds wait) {
  const MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, wait, [this]() REQUIRES(mutex_) {
    return end_ || std::all_of(sentences_.begin(), sentences_.end(),
                               [](const auto& sentence) { return sentence->step == Step::kOpen; });
  });
}

}  // namespace headroom::app
