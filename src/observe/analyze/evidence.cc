#include "observe/analyze/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "base/text.h"

namespace headroom::analyze {
namespace {

constexpr std::array<std::string_view, kMetrics> kMetricNames = {
    "vram_used",     "vram_total", "vram_free",   "vram_allocated",   "vram_reserved",
    "vram_tried",    "vram_other", "vram_own",    "vram_unallocated", "vram_required",
    "ram",           "ram_peak",   "swap",        "swap_peak",        "host_total",
    "ram_available", "host_swap",  "memory_high", "memory_max",       "ram_tried",
    "killed",        "limit",      "psi_some",    "psi_full",         "queue_s",
    "temperature",   "busy"};
constexpr std::array<std::string_view, 14> kKindNames = {
    "error",    "retry",   "start",  "stop",  "load",     "ready", "unload",
    "activity", "suspend", "resume", "reset", "oom_kill", "hot",   "clock_step"};
constexpr std::array<std::string_view, 9> kFamilyNames = {
    "other", "out_of_memory", "sticky",   "lost", "host_out_of_memory",
    "heap",  "shared_memory", "hardware", "crash"};

template <class E, std::size_t N>
std::optional<E> Find(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return static_cast<E>(at - names.begin());
}

// Limits and sizes hardly ever change: only changes are kept.
bool IsConstant(Metric metric) {
  return metric == Metric::kVramTotal || metric == Metric::kHostTotal ||
         metric == Metric::kMemoryHigh || metric == Metric::kMemoryMax;
}

void Thin(Series& series) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i + 1 < series.points.size(); i += 2)
    series.points[kept++] = series.points[i + 1].value > series.points[i].value
                                ? series.points[i + 1]
                                : series.points[i];
  series.points.resize(kept);
  ++series.thinned;
}

}  // namespace

std::string_view Name(Metric metric) {
  return kMetricNames[static_cast<std::size_t>(metric)];
}
std::optional<Metric> MetricFromName(std::string_view name) {
  return Find<Metric>(kMetricNames, name);
}
bool IsBytes(Metric metric) {
  return metric < Metric::kPsiSome;
}
std::string_view Name(EventKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}
std::optional<EventKind> EventKindFromName(std::string_view name) {
  return Find<EventKind>(kKindNames, name);
}
std::string_view Name(Family family) {
  return kFamilyNames[static_cast<std::size_t>(family)];
}
std::optional<Family> FamilyFromName(std::string_view name) {
  return Find<Family>(kFamilyNames, name);
}

std::uint32_t Evidence::AddSource(std::string name, std::string format) {
  Source source;
  source.name = Printable(name);
  source.format = std::move(format);
  sources_.push_back(std::move(source));
  return static_cast<std::uint32_t>(sources_.size() - 1);
}

std::size_t Evidence::SeriesFor(std::uint32_t source, Metric metric, std::string_view device,
                                std::string_view owner) {
  auto key = std::tuple(source, metric, Printable(device), Printable(owner));
  if (const auto found = series_index_.find(key); found != series_index_.end())
    return found->second;
  if (series_.size() >= kMostSeries) {
    Note(source, fmt::format("more than {} series; the rest is put together", kMostSeries));
    return series_.size() - 1;
  }
  Series series;
  series.metric = metric;
  series.device = std::get<2>(key);
  series.owner = std::get<3>(key);
  series.source = source;
  series_.push_back(std::move(series));
  series_index_.emplace(std::move(key), series_.size() - 1);
  return series_.size() - 1;
}

void Evidence::Seen(Source& source, Instant at) {
  source.first = source.first ? std::min(*source.first, at) : at;
  source.last = source.last ? std::max(*source.last, at) : at;
}

void Evidence::AddSample(std::size_t index, Instant at, double value, std::uint32_t line) {
  Series& series = series_[index];
  Source& source = sources_[series.source];
  if (!std::isfinite(value) || value < 0 || value > 1e18) {
    Bad(series.source, line, fmt::format("{} makes no sense: {}", Name(series.metric), value));
    return;
  }
  ++source.samples;
  ++series.seen;
  Seen(source, at);
  const auto kept = static_cast<float>(value);
  if (!series.points.empty()) {
    const Point& last = series.points.back();
    if (IsConstant(series.metric) && last.value == kept) return;
    if (at < last.at) ++source.unordered;
  }
  series.points.push_back({at, kept, line});
  if (series.points.size() >= kMostPoints) Thin(series);
}

void Evidence::Rescale(std::size_t index, double scale) {
  for (Point& point : series_[index].points)
    point.value = static_cast<float>(static_cast<double>(point.value) * scale);
}

std::uint32_t Evidence::TypeFor(const EventType& type) {
  if (const auto found = type_index_.find(type); found != type_index_.end()) return found->second;
  if (types_.size() >= kMostTypes) {  // the same without what makes it special
    EventType plain = type;
    plain.fingerprint.clear();
    plain.subject.clear();
    if (const auto found = type_index_.find(plain); found != type_index_.end())
      return found->second;
    if (types_.size() >= 2 * kMostTypes) return static_cast<std::uint32_t>(types_.size() - 1);
    types_.push_back(plain);
    return type_index_.emplace(plain, static_cast<std::uint32_t>(types_.size() - 1)).first->second;
  }
  types_.push_back(type);
  return type_index_.emplace(type, static_cast<std::uint32_t>(types_.size() - 1)).first->second;
}

void Evidence::AddEvent(const Event& event, std::optional<std::uint64_t> identity) {
  Source& source = sources_[event.from.source];
  if (identity && identities_.size() < kMostEvents && !identities_.insert(*identity).second) {
    ++source.duplicates;
    return;
  }
  ++source.events;
  Seen(source, event.at);
  if (events_.size() >= kMostEvents) {
    ++events_dropped_;
    return;
  }
  events_.push_back(event);
}

void Evidence::Bad(std::uint32_t index, std::uint32_t line, std::string_view why) {
  Source& source = sources_[index];
  ++source.bad;
  if (source.bad <= 3) source.notes.push_back(fmt::format("line {}: {}", line, Printable(why)));
}

void Evidence::Note(std::uint32_t index, std::string text) {
  std::vector<std::string>& notes = sources_[index].notes;
  if (notes.size() < 12 && std::find(notes.begin(), notes.end(), text) == notes.end())
    notes.push_back(std::move(text));
}

void Evidence::Finish() {
  const auto earlier = [](const auto& a, const auto& b) { return a.at < b.at; };
  for (Series& series : series_) {
    auto& points = series.points;
    if (!std::is_sorted(points.begin(), points.end(), earlier))
      std::stable_sort(points.begin(), points.end(), earlier);
    const auto end = std::unique(points.begin(), points.end(), [](const Point& a, const Point& b) {
      return a.at == b.at && a.value == b.value;
    });
    sources_[series.source].duplicates += static_cast<std::uint64_t>(points.end() - end);
    points.erase(end, points.end());
  }
  for (std::size_t i = 1; i < events_.size(); ++i) {
    if (events_[i].at < events_[i - 1].at && events_[i].from.source == events_[i - 1].from.source)
      ++sources_[events_[i].from.source].unordered;
  }
  std::stable_sort(events_.begin(), events_.end(), earlier);
  for (const Source& source : sources_) {
    if (!source.first) continue;
    first_ = first_ ? std::min(*first_, *source.first) : *source.first;
    last_ = last_ ? std::max(*last_, *source.last) : *source.last;
  }
}

std::string Evidence::Cite(const Citation& from) const {
  if (from.source >= sources_.size()) return "?";
  const std::string& name = sources_[from.source].name;
  const auto slash = name.rfind('/');
  const std::string file = slash == std::string::npos ? name : name.substr(slash + 1);
  return from.line == 0 ? file : fmt::format("{}:{}", file, from.line);
}

std::string Fingerprint(std::string_view text) {
  constexpr std::size_t kMost = 120;
  std::string print;
  for (std::size_t i = 0; i < text.size() && print.size() < kMost;) {
    const char c = text[i];
    if (c == '"' || c == '\'' || c == '`') {
      const std::size_t close = text.find(c, i + 1);
      const bool word = c == '\'' && i > 0 && std::isalpha(static_cast<unsigned char>(text[i - 1]));
      if (close != std::string_view::npos && !word) {
        print += "'…'";
        i = close + 1;
        continue;
      }
    }
    if (std::isdigit(static_cast<unsigned char>(c))) {
      while (i < text.size() && std::isxdigit(static_cast<unsigned char>(text[i]))) ++i;
      print += '#';
      continue;
    }
    print += c;
    ++i;
  }
  return Printable(print);
}

}  // namespace headroom::analyze
