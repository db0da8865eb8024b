#include "analyze/flight_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "record/reader.h"

namespace headroom::analyze {
namespace {

constexpr Milliseconds kRepeat{10'000};

Instant At(const record::Moment& moment) {
  return std::chrono::floor<Milliseconds>(moment.wall);
}

struct Fate {
  record::EventKind theirs;
  EventKind ours;
};
constexpr std::array<Fate, 10> kFates = {{{record::EventKind::kStart, EventKind::kStart},
                                          {record::EventKind::kStop, EventKind::kStop},
                                          {record::EventKind::kModelLoading, EventKind::kLoad},
                                          {record::EventKind::kModelReady, EventKind::kReady},
                                          {record::EventKind::kModelUnloaded, EventKind::kUnload},
                                          {record::EventKind::kSpeechBegin, EventKind::kActivity},
                                          {record::EventKind::kError, EventKind::kError},
                                          {record::EventKind::kSuspend, EventKind::kSuspend},
                                          {record::EventKind::kResume, EventKind::kResume},
                                          {record::EventKind::kWorkerExit, EventKind::kStop}}};

class FlightRecord {
 public:
  FlightRecord(std::uint32_t source, Evidence& evidence) : source_(source), evidence_(evidence) {}

  void Take(const record::Run& run, const record::Sample& sample) {
    owner_ = run.target.empty() ? "headroom" : run.target;
    ++evidence_.source(source_).lines;
    const Instant at = At(sample.at);
    // Its own moment, and every ten seconds for as long as it held.
    for (Milliseconds after{}; after == Milliseconds(0) || after < sample.holds; after += kRepeat)
      Values(at + after, sample);
  }

  void Take(const record::Run& run, const record::Event& event) {
    owner_ = run.target.empty() ? "headroom" : run.target;
    ++evidence_.source(source_).lines;
    EventType type;
    type.unit = owner_;
    const std::string tier(event.Text(record::Key::kTier));
    type.subject = tier.substr(0, tier.find_first_of(": "));
    if (event.kind == record::EventKind::kKernel) {
      Kernel(event, type);
    } else if (event.kind == record::EventKind::kClock) {
      type.kind = EventKind::kClockStep;
      const auto ms = event.Integer(record::Key::kMs).value_or(0);
      type.name = ms >= 0 ? "clock-forward" : "clock-back";
      type.subject = FormatLength(Milliseconds(std::abs(ms)));
      type.meaning = "the wall clock jumped";
    } else {
      const auto fate = std::find_if(kFates.begin(), kFates.end(),
                                     [&](const Fate& f) { return f.theirs == event.kind; });
      if (fate == kFates.end()) return;
      type.kind = fate->ours;
      type.name = Name(event.kind);
      if (event.kind == record::EventKind::kError) Failure(event, type);
    }
    if (type.kind == EventKind::kSuspend) type.meaning = "the machine went to sleep";
    if (type.kind == EventKind::kResume) type.meaning = "the machine woke up";
    evidence_.AddEvent(
        {At(event.at),
         evidence_.TypeFor(type),
         {source_, Line()},
         static_cast<std::uint32_t>(std::clamp<std::int64_t>(event.count(), 1, 1'000'000))});
  }

 private:
  std::uint32_t Line() const {
    return static_cast<std::uint32_t>(evidence_.sources()[source_].lines);
  }

  void Value(Instant at, Metric metric, const std::string& device, const std::string& owner,
             std::optional<Bytes> bytes) {
    if (!bytes) return;
    const auto key = std::tuple(metric, device, owner);
    auto found = series_.find(key);
    if (found == series_.end())
      found = series_.emplace(key, evidence_.SeriesFor(source_, metric, device, owner)).first;
    evidence_.AddSample(found->second, at, static_cast<double>(bytes->n), Line());
  }

  void Values(Instant at, const record::Sample& sample) {
    Value(at, Metric::kHostTotal, "", "", sample.host.total);
    Value(at, Metric::kHostAvailable, "", "", sample.host.available);
    Value(at, Metric::kHostSwap, "", "", sample.host.swap_used);
    Value(at, Metric::kRam, "", owner_, sample.service.ram);
    Value(at, Metric::kSwap, "", owner_, sample.service.swap);
    Value(at, Metric::kMemoryHigh, "", owner_, sample.service.cgroup_high);
    Value(at, Metric::kMemoryMax, "", owner_, sample.service.cgroup_max);
    if (sample.host.psi_full)
      evidence_.AddSample(evidence_.SeriesFor(source_, Metric::kPsiFull, "", ""), at,
                          *sample.host.psi_full, Line());
    if (sample.service.queue)
      evidence_.AddSample(evidence_.SeriesFor(source_, Metric::kQueueSeconds, "", owner_), at,
                          static_cast<double>(sample.service.queue->count()) / 1000, Line());
    for (const record::CardSample& card : sample.cards) {
      Value(at, Metric::kVramTotal, card.card, "", card.total);
      Value(at, Metric::kVramUsed, card.card, "", card.used);
      Value(at, Metric::kVramUsed, card.card, owner_, card.own);
      Value(at, Metric::kVramUsed, card.card, "others", card.others());
    }
  }

  static void Failure(const record::Event& event, EventType& type) {
    type.name = event.Text(record::Key::kClass);
    if (const auto code = event.Integer(record::Key::kCode)) type.code = std::to_string(*code);
    type.family = FamilyFromName(type.name).value_or(Family::kOther);
    if (type.name == "no_memory") type.family = Family::kHostOutOfMemory;
  }

  static void Kernel(const record::Event& event, EventType& type) {
    type.name = event.Text(record::Key::kClass);
    if (const auto code = event.Integer(record::Key::kCode)) type.code = std::to_string(*code);
    type.kind = type.name == "oom_kill" ? EventKind::kOomKill : EventKind::kReset;
    type.meaning = type.kind == EventKind::kOomKill ? "the kernel ended a process for memory"
                                                    : "the kernel reported a fault of the card";
    type.subject = event.Text(record::Key::kName);
  }

  const std::uint32_t source_;
  Evidence& evidence_;
  std::string owner_;
  std::map<std::tuple<Metric, std::string, std::string>, std::size_t> series_;
};

}  // namespace

bool IsFlightRecord(const std::filesystem::path& path) {
  return record::IsFlightRecord(path);
}

Result<> ReadFlightRecord(const std::filesystem::path& path, const ReadOptions& options,
                          Evidence& evidence) {
  record::ReadOptions read;
  if (options.from) read.from = WallTime(options.from->time_since_epoch());
  if (options.to) read.to = WallTime(options.to->time_since_epoch());
  TRY_ASSIGN(const std::unique_ptr<record::Reader> reader,
             record::Reader::Open(record::WithDamaged(path), read));
  const std::uint32_t source = evidence.AddSource(path.string(), "flight record");
  evidence.source(source).kernel = true;  // the recorder follows sleep and the kernel's log itself
  FlightRecord record(source, evidence);
  while (const auto entry = reader->Next()) {
    if (const auto* sample = std::get_if<record::Sample>(&entry->what))
      record.Take(*entry->run, *sample);
    else
      record.Take(*entry->run, std::get<record::Event>(entry->what));
  }
  for (const std::string& damage : reader->damage()) {
    ++evidence.source(source).bad;
    evidence.Note(source, damage);
  }
  return {};
}

}  // namespace headroom::analyze
