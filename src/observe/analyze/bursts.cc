// Errors in clusters: counts, rates, first causes and repeats, and what followed.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kMostBursts = 50;
constexpr Milliseconds kFollows{600'000};

bool IsFailure(const EventType& type) {
  return type.kind == EventKind::kError;
}

std::vector<BurstPart> Sorted(const std::map<std::uint32_t, BurstPart>& parts) {
  std::vector<BurstPart> sorted;
  for (const auto& [type, part] : parts) sorted.push_back(part);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const BurstPart& a, const BurstPart& b) { return a.count > b.count; });
  return sorted;
}

void Count(std::map<std::uint32_t, BurstPart>& parts, const Event& event) {
  BurstPart& part = parts.try_emplace(event.type, BurstPart{event.type, 0, event.at}).first->second;
  part.count += event.count;
}

struct Open {
  Burst burst;
  std::map<std::uint32_t, BurstPart> parts;
  std::map<std::string, std::uint32_t> sorts;  // name and code: the causes
  std::int64_t second = -1;
  std::uint64_t in_second = 0;
};

void Take(Open& open, const Event& event, const EventType& type) {
  Burst& burst = open.burst;
  if (burst.count == 0) burst.first = event.at, burst.first_from = event.from;
  burst.last = event.at;
  burst.last_from = event.from;
  burst.count += event.count;
  if (event.at - burst.first < Milliseconds(4000)) burst.first_seconds += event.count;
  const std::int64_t second = event.at.time_since_epoch().count() / 1000;
  if (second != open.second) open.second = second, open.in_second = 0;
  open.in_second += event.count;
  if (open.in_second > burst.peak_rate) burst.peak_rate = open.in_second, burst.peak_at = event.at;
  Count(open.parts, event);
  open.sorts.emplace(type.name + "\n" + type.code, event.type);
}

}  // namespace

void FindBursts(Context& context) {
  const Evidence& evidence = context.evidence;
  Findings& findings = context.findings;
  std::map<std::uint32_t, BurstPart> all;
  std::optional<Open> open;
  const auto close = [&] {
    if (open && open->burst.count >= kBurstLeast) {
      Burst& burst = open->burst;
      burst.parts = Sorted(open->parts);
      burst.causes = open->sorts.size();
      const double seconds = static_cast<double>((burst.last - burst.first).count()) / 1000;
      burst.rate = static_cast<double>(burst.count) / std::max(seconds, 1.0);
      findings.bursts.push_back(std::move(burst));
    }
    open.reset();
  };
  for (const Event& event : evidence.events()) {
    const EventType& type = evidence.type(event);
    if (type.kind == EventKind::kRetry && open) open->burst.retries += event.count;
    if (!IsFailure(type)) continue;
    findings.errors += event.count;
    Count(all, event);
    if (open && event.at - open->burst.last > kBurstGap) close();
    if (!open) open.emplace();
    Take(*open, event, type);
  }
  close();
  findings.error_types = Sorted(all);
  std::stable_sort(findings.bursts.begin(), findings.bursts.end(),
                   [](const Burst& a, const Burst& b) { return a.count > b.count; });
  if (findings.bursts.size() > kMostBursts) findings.bursts.resize(kMostBursts);

  std::vector<bool> seen(evidence.types().size());
  for (const Event& event : evidence.events()) {
    const EventType& type = evidence.type(event);
    if (type.kind == EventKind::kOomKill) findings.kills += event.count;
    const bool repeated = type.kind == EventKind::kError && seen[event.type];
    seen[event.type] = true;
    if (repeated || type.kind == EventKind::kRetry || type.kind == EventKind::kActivity) continue;
    if (findings.events.size() < kMostHappenings)
      findings.events.push_back(
          {event.type, event.at, {context.Describe(event), Basis::kMeasured, {event.from}}});
  }

  for (Burst& burst : findings.bursts) {
    for (const EventKind kind : {EventKind::kReset, EventKind::kOomKill, EventKind::kStop,
                                 EventKind::kStart, EventKind::kUnload, EventKind::kReady}) {
      if (const Event* event = context.Next(kind, burst.last, burst.last + kFollows))
        burst.followed.push_back({context.Describe(*event), Basis::kMeasured, {event->from}});
    }
  }
  // The incident begins with the worst burst; without one, with what is bad by itself.
  if (!findings.bursts.empty()) {
    findings.onset = findings.bursts.front().first;
  } else {
    for (const Event& event : evidence.events()) {
      const EventType& type = evidence.type(event);
      if (type.kind == EventKind::kOomKill || (IsFailure(type) && type.family != Family::kOther) ||
          type.kind == EventKind::kReset) {
        findings.onset = event.at;
        break;
      }
    }
  }
}

}  // namespace headroom::analyze
