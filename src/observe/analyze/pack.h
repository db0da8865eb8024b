// Error packs: what lines of logs mean, as data (TOML, one file for each field; docs/report.md).
//
//   [[pattern]]
//   name = "cuda-launch-failure"     kind = "error"        family = "sticky"
//   code = "719"                     match = 'unspecified launch failure'   (RE2)
//   meaning = "…"                    unit_of_size = "MiB"  (for captured sizes without one)
//   engine = "vllm"                  restates = true        (says again what a line before it said)
//
// Named groups: a metric's name (vram_tried, vram_free, ram, …) makes a sample of the captured
// size; code, subject, process, pid, device and count go into the event. The kind "none" makes a
// line mean nothing, "engine" names the engine beside whatever else the line means. Matching is
// linear in the text.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "observe/analyze/evidence.h"

namespace headroom::analyze {

struct Reading {
  Metric metric{};
  double value = 0;
};

/// What one line means.
struct Meaning {
  bool event = true;      // false: only samples
  bool restates = false;  // says again what an earlier line said
  EventType type;         // without unit and fingerprint
  std::string process, device, pid, engine;
  std::optional<std::uint64_t> suppressed;  // messages, by journald
  std::uint32_t count = 1;
  std::vector<Reading> readings;
};

class Packs {
 public:
  ~Packs();
  Packs(Packs&&) noexcept;
  Packs& operator=(Packs&&) noexcept;

  struct Text {
    std::string name, toml;
  };
  /// Earlier texts win where several patterns match; so do earlier patterns of one text.
  /// kInvalid names file, line and what is wrong.
  static Result<Packs> Make(const std::vector<Text>& texts);
  /// Every *.toml of the folders, by name; folders that do not exist are skipped.
  static Result<Packs> Load(const std::vector<std::filesystem::path>& folders);

  std::size_t size() const;
  /// nullopt: the line means nothing. One thread.
  std::optional<Meaning> Match(std::string_view line);

 private:
  struct State;
  explicit Packs(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace headroom::analyze
