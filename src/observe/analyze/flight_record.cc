#include "observe/analyze/flight_record.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "observe/record/reader.h"

namespace headroom::analyze {
namespace {

constexpr Milliseconds kRepeat{10'000};
constexpr std::size_t kMostRoles = 48;  // a build has hundreds of sorts of processes

Instant At(const record::Moment& moment) {
  return std::chrono::floor<Milliseconds>(moment.wall);
}

struct Fate {
  record::EventKind theirs;
  EventKind ours;
  const char* meaning;
};
constexpr std::array<Fate, 9> kFates = {
    {{record::EventKind::kStart, EventKind::kStart, "the service started"},
     {record::EventKind::kStop, EventKind::kStop, "the service ended"},
     {record::EventKind::kModelLoading, EventKind::kLoad, "a model begins to load"},
     {record::EventKind::kModelReady, EventKind::kReady, "the model is ready"},
     {record::EventKind::kModelUnloaded, EventKind::kUnload, "the model was unloaded"},
     {record::EventKind::kSpeechBegin, EventKind::kActivity, "speech began"},
     {record::EventKind::kError, EventKind::kError, ""},
     {record::EventKind::kSuspend, EventKind::kSuspend, "the machine went to sleep"},
     {record::EventKind::kResume, EventKind::kResume, "the machine woke up"}}};

// The recorder says at the beginning of each run whether it can read the kernel's log.
bool FollowsKernel(const record::Event& event) {
  return event.Text(record::Key::kStep) == "kernel_log" &&
         event.Text(record::Key::kReason) == "followed";
}

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
    } else if (event.kind == record::EventKind::kTarget ||
               event.kind == record::EventKind::kWorkerExit) {
      if (!Process(event, type)) return;
    } else if (event.kind == record::EventKind::kRecording) {
      if (FollowsKernel(event)) kernel_.insert(run.id);
      return;
    } else {
      const auto fate = std::find_if(kFates.begin(), kFates.end(),
                                     [&](const Fate& f) { return f.theirs == event.kind; });
      if (fate == kFates.end()) return;
      type.kind = fate->ours;
      type.name = Name(event.kind);
      type.meaning = fate->meaning;
      if (event.kind == record::EventKind::kError) Failure(event, type);
    }
    evidence_.AddEvent(
        {At(event.at),
         evidence_.TypeFor(type),
         {source_, Line()},
         static_cast<std::uint32_t>(std::clamp<std::int64_t>(event.count(), 1, 1'000'000))});
  }

  /// Whether the events taken so far say that this run follows the kernel's log.
  bool follows_kernel(std::int64_t run) const { return kernel_.contains(run); }

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
    for (const record::GpuSample& gpu : sample.gpus) {
      Value(at, Metric::kVramTotal, gpu.gpu, "", gpu.total);
      Value(at, Metric::kVramUsed, gpu.gpu, "", gpu.used);
      Value(at, Metric::kVramUsed, gpu.gpu, owner_, gpu.own);
      Value(at, Metric::kVramUsed, gpu.gpu, "others", gpu.others());
    }
    Parts(at, sample);
  }

  // What processes of one role hold together, as "OWNER/ROLE": parts of the service's own sum.
  void Parts(Instant at, const record::Sample& sample) {
    std::map<std::string, Bytes> held;
    for (const std::string& role : roles_) held[role] = Bytes(0);
    for (const record::ProcessSample& process : sample.processes) {
      if (!process.counted) continue;
      const bool room = roles_.size() < kMostRoles || roles_.contains(process.role);
      const std::string& role = room ? process.role : kOthers;
      roles_.insert(role);
      held[role] += *process.counted;
    }
    for (const auto& [role, bytes] : held)
      Value(at, Metric::kRam, "", fmt::format("{}/{}", owner_, role), bytes);
  }

  // A process of the service or target that came or went; one that a signal ended is a failure.
  static bool Process(const record::Event& event, EventType& type) {
    const std::string_view step = event.Text(record::Key::kStep);
    type.subject = event.Text(record::Key::kName);
    if (type.subject.empty()) type.subject = event.Text(record::Key::kTier);
    if (step == "found" || step == "restarted") {
      type.kind = EventKind::kStart;
      type.name = step == "found" ? "process-found" : "process-restarted";
      type.meaning = step == "found" ? "the process was found" : "the process runs again";
      return true;
    }
    if (event.kind == record::EventKind::kTarget && step != "ended" && step != "exited")
      return false;
    const auto signal = event.Integer(record::Key::kSignal).value_or(0);
    const bool failed = signal == SIGKILL || signal == SIGSEGV || signal == SIGABRT ||
                        signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
    type.kind = failed ? EventKind::kError : EventKind::kStop;
    type.name = failed ? "killed-by-signal" : "process-ended";
    type.meaning = failed ? "a signal ended the process" : "the process ended";
    if (failed) type.family = Family::kCrash, type.code = std::to_string(signal);
    return true;
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
  std::set<std::string> roles_;
  std::set<std::int64_t> kernel_;  // runs
  const std::string kOthers = "other processes";
};

// The first minute of a run that began before the range.
bool BeganFollowing(const std::filesystem::path& path, const record::Run& run) {
  record::ReadOptions first;
  first.from = run.began.wall - std::chrono::seconds(1);
  first.to = run.began.wall + std::chrono::minutes(1);
  const auto reader = record::Reader::Open(record::WithDamaged(path), first);
  while (reader) {
    const auto entry = (*reader)->Next();
    if (!entry) break;
    const auto* event = std::get_if<record::Event>(&entry->what);
    if (event && event->kind == record::EventKind::kRecording && FollowsKernel(*event) &&
        entry->run->began == run.began)
      return true;
  }
  return false;
}

}  // namespace

std::filesystem::path OwnFlightRecord() {
  return record::DefaultPath();
}

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
  FlightRecord record(source, evidence);
  while (const auto entry = reader->Next()) {
    if (const auto* sample = std::get_if<record::Sample>(&entry->what))
      record.Take(*entry->run, *sample);
    else
      record.Take(*entry->run, std::get<record::Event>(entry->what));
  }
  const auto& runs = reader->runs();
  evidence.source(source).kernel = !runs.empty() && std::ranges::all_of(runs, [&](const auto& run) {
    return record.follows_kernel(run->id) || BeganFollowing(path, *run);
  });
  for (const std::string& damage : reader->damage()) {
    ++evidence.source(source).bad;
    evidence.Note(source, damage);
  }
  return {};
}

}  // namespace headroom::analyze
