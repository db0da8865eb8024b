#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

constexpr Milliseconds kClockNoise{2000};  // NTP slews less between two entries

std::string Unit(const Entry& entry) {
  if (!entry.about.empty()) return Printable(entry.about);
  if (!entry.unit.empty() && entry.unit != "init.scope") return Printable(entry.unit);
  return Printable(entry.identifier);
}

bool OfMachine(const Entry& entry) {
  return entry.kernel || entry.identifier.starts_with("systemd-sleep") ||
         entry.identifier.starts_with("systemd-logind") || entry.identifier == "earlyoom" ||
         entry.identifier.starts_with("systemd-oomd");
}

// A pack's "GPU 0" and a bare "0" are the same device.
std::string Device(const std::string& device) {
  const bool number =
      !device.empty() && device.find_first_not_of("0123456789") == std::string::npos;
  return number ? "GPU " + device : device;
}

}  // namespace

std::uint64_t Hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

void Interpreter::Take(const Entry& entry, std::uint32_t line) {
  Source& source = evidence_.source(source_);
  if (entry.kernel) {
    source.kernel = true;
    if (entry.at &&
        (source.kernel_times.empty() ||
         *entry.at - source.kernel_times.back() > std::chrono::minutes(1)) &&
        source.kernel_times.size() < 100'000)
      source.kernel_times.push_back(*entry.at);
  }
  // rsyslog's way to say that the last line came again.
  if (entry.message.starts_with("message repeated ") && last_was_event_ && entry.at) {
    const std::string count(entry.message.substr(17, entry.message.find(' ', 17) - 17));
    const auto times =
        static_cast<std::uint32_t>(std::clamp(std::atol(count.c_str()), 1L, 1'000'000L));
    if (Inside(*entry.at))
      evidence_.AddEvent({*entry.at, last_type_, {source_, line}, times}, entry.identity);
    return;
  }
  if (!options_.packs || entry.message.empty()) return;
  if (!options_.unit.empty() && !OfMachine(entry) && entry.unit != options_.unit &&
      entry.about != options_.unit && !entry.identifier.empty() &&
      !options_.unit.starts_with(entry.identifier))
    return;
  const std::optional<Meaning> meaning = options_.packs->Match(entry.message);
  last_was_event_ = false;
  if (!meaning) return;
  if (!entry.at) {
    if (++source.timeless == 1)
      evidence_.Note(
          source_,
          fmt::format("line {}: says something, but not when; seconds since boot need --boot",
                      line));
    return;
  }
  const Instant at = *entry.at;
  if (!Inside(at)) return;
  if (!meaning->engine.empty()) ++evidence_.engines[meaning->engine];
  if (meaning->suppressed) {
    source.suppressed += *meaning->suppressed;
    evidence_.Note(source_,
                   fmt::format("line {}: journald suppressed {} messages of {}: counts are a "
                               "lower bound",
                               line, *meaning->suppressed, meaning->process));
    return;
  }
  const std::string unit = Unit(entry);
  const std::string owner = meaning->process.empty() ? unit : meaning->process;
  for (const Reading& reading : meaning->readings) {
    const bool whole =
        reading.metric == Metric::kVramTotal || reading.metric == Metric::kVramFree ||
        reading.metric == Metric::kHostTotal || reading.metric == Metric::kHostAvailable ||
        reading.metric == Metric::kHostSwap;
    const std::string device =
        IsVram(reading.metric) ? Device(meaning->device.empty() ? "0" : meaning->device) : "";
    evidence_.AddSample(evidence_.SeriesFor(source_, reading.metric, device, whole ? "" : owner),
                        at, reading.value, line);
  }
  if (!meaning->event) return;
  EventType type = meaning->type;
  type.unit = owner;
  if (type.subject.empty()) type.subject = Device(meaning->device);
  if (type.kind == EventKind::kError || type.kind == EventKind::kRetry)
    type.fingerprint = Fingerprint(entry.message);
  if (SaidBefore(type, unit, at, meaning->restates)) return;
  last_was_event_ = true;
  last_type_ = evidence_.TypeFor(type);
  evidence_.AddEvent({at, last_type_, {source_, line}, meaning->count}, entry.identity);
}

// One failure is said by several lines: by the library, by the program, by what started it. A line
// with other words soon after is the same failure; the same words again are another one.
bool Interpreter::SaidBefore(const EventType& type, const std::string& unit, Instant at,
                             bool restates) {
  constexpr Milliseconds kSoon{1500}, kKillSoon{10'000}, kRestated{60'000};
  if (type.kind == EventKind::kOomKill) {
    const bool again =
        kill_ && at >= kill_->at && at - kill_->at <= kKillSoon && type.name != kill_->name;
    if (!again) kill_ = Kill{at, type.name};
    return again;
  }
  if (type.kind != EventKind::kError) return false;
  if (type.family == Family::kCrash && type.code == "9" && kill_ && at - kill_->at <= kKillSoon)
    return true;
  if (type.family == Family::kOther || type.family == Family::kSticky ||
      type.family == Family::kLost)
    return false;
  Failure& failure = failures_[unit];
  const bool known = !failure.words.empty() && at >= failure.last;
  if (restates && known && at - failure.last <= kRestated) return true;
  const bool same_failure = known && at - failure.last <= kSoon && type.family == failure.family &&
                            std::find(failure.words.begin(), failure.words.end(),
                                      type.fingerprint) == failure.words.end();
  if (!same_failure) failure.words.clear();
  failure.family = type.family;
  failure.last = at;
  if (failure.words.size() < 16) failure.words.push_back(type.fingerprint);
  return same_failure;
}

void Interpreter::Clocks(Instant wall, Milliseconds monotonic, std::uint64_t boot,
                         std::uint32_t line) {
  const Milliseconds offset = wall.time_since_epoch() - monotonic;
  const bool same_boot = boot == boot_;
  if (same_boot && offset_ && std::chrono::abs(offset - *offset_) > kClockNoise) {
    ++evidence_.source(source_).clock_steps;
    const bool forward = offset > *offset_;
    EventType type;
    type.kind = EventKind::kClockStep;
    type.name = forward ? "clock-forward" : "clock-back";
    type.subject = FormatLength(forward ? offset - *offset_ : *offset_ - offset);
    type.meaning = forward ? "wall time passed that the monotonic clock did not count: the machine "
                             "slept, or its clock was set"
                           : "the machine's clock was set back";
    if (Inside(wall)) evidence_.AddEvent({wall, evidence_.TypeFor(type), {source_, line}, 1});
  }
  boot_ = boot;
  offset_ = offset;
  evidence_.boot_offset = offset;
}

}  // namespace headroom::analyze
