// What `headroom top` shows: gauges with their zones, histories and the time to their limits, from
// samples as they come. Pure; one thread at a time.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "observe/record/record.h"
#include "observe/watch/watcher.h"

namespace headroom::watch {

struct Point {
  MonoTime at{};
  double value = 0;
};

/// How long until `limit` at the present slope: the median of the slopes between pairs of points
/// (Theil and Sen), so that single jumps do not count. nullopt without a clear rise (three quarters
/// of the slopes), with less than half a minute of points, or when it is more than a day off.
std::optional<Milliseconds> TimeToLimit(std::span<const Point> points, double limit);

struct GaugeLine {
  std::string what;                   // "VRAM", "RAM", "swap", "host", "PSI"
  std::string name;                   // of the GPU
  std::optional<double> used, limit;  // bytes; PSI: percent
  std::optional<double> own, others;
  std::optional<memory::Zone> zone;
  std::vector<double> history;  // oldest first
  std::optional<Milliseconds> to_limit;
  std::string note;
};

struct TopState {
  std::string title;
  record::Moment at;
  std::vector<GaugeLine> gauges;
  std::string tier;
  std::vector<record::ProcessSample> processes;  // largest first
  std::vector<Owner> owners;                     // of GPUs, largest first
  std::vector<record::Event> events;             // the newest last
};

class TopModel {
 public:
  explicit TopModel(std::string title, memory::Thresholds thresholds = {})
      : title_(std::move(title)), thresholds_(thresholds) {}

  void Add(record::Sample sample);
  void Note(record::Event event);
  void Know(const record::GpuName& gpu) { names_[gpu.gpu] = gpu.name; }
  void Owners(std::vector<Owner> owners) { owners_ = std::move(owners); }
  bool empty() const { return !last_; }
  TopState state() const;

 private:
  static constexpr Milliseconds kReach{600'000};
  static constexpr std::size_t kMostPoints = 1200, kMostEvents = 50;

  void Track(const std::string& key, MonoTime at, std::optional<double> value);
  GaugeLine Line(std::string what, const std::string& key, std::optional<double> used,
                 std::optional<double> limit, std::optional<memory::Zone> zone) const;

  std::string title_;
  memory::Thresholds thresholds_;
  std::map<std::string, std::string> names_;
  std::map<std::string, std::deque<Point>> points_;
  std::optional<record::Sample> last_;
  std::vector<Owner> owners_;
  std::deque<record::Event> events_;
};

/// The block characters ▁ to █, `width` columns, the newest at the right; flat where nothing moved.
std::string Sparkline(std::span<const double> values, std::size_t width, double least_span);

/// Lines for a screen of that size, no longer than `width` columns; `colour`: with ANSI colours.
std::vector<std::string> Render(const TopState& state, int width, int height, bool colour);
/// One JSON object in one line; docs/flight-record.md lists its keys.
std::string ToJson(const TopState& state);

}  // namespace headroom::watch
