// Reads flight records: samples and events in the order in which they were measured, streaming,
// with memory bounded whatever the files' sizes.
//
// Several files (those set aside, other machines') are read one after the other. A writer may be at
// work; the reader never keeps it from anything for longer than one page of rows. Damaged places
// are skipped and reported by damage(). One thread at a time.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "observe/record/record.h"

namespace headroom::record {

struct ReadOptions {
  /// By the wall clock as recorded; `to` is not included. The first sample after `from` is whole.
  std::optional<WallTime> from, to;
  /// The sample before is needed to know how long it held, so the last known sample waits for its
  /// successor. False: at once and without `holds`, for following a writer.
  bool holds = true;
};

struct Entry {
  const Run* run = nullptr;  // valid as long as the reader
  std::variant<Sample, Event> what;
};

class Reader {
 public:
  /// kNotFound: a file is missing. kUnsupported: written by a newer version, or no flight record.
  /// A damaged file is no error as long as it is recognised.
  static Result<std::unique_ptr<Reader>> Open(std::vector<std::filesystem::path> files,
                                              ReadOptions options = {});
  ~Reader();

  /// Those that have something in the range, in order. More may be known after Next.
  const std::vector<std::unique_ptr<Run>>& runs() const;
  const std::map<std::string, GpuName>& gpus() const;  // by PCI address

  /// A sample is whole: parts that did not move since are repeated. nullopt at the end; a later
  /// call goes on with what was written meanwhile. kCorrupt and kIo never come from here.
  std::optional<Entry> Next();

  /// One line for each place that could not be read; at most a few dozen.
  const std::vector<std::string>& damage() const;

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The service's own: $XDG_STATE_HOME/headroom/flight-record.db.
std::filesystem::path DefaultPath();

/// Is this file a flight record? By its header; false for one that cannot be read.
bool IsFlightRecord(const std::filesystem::path& path);

/// `path` and the damaged predecessors set aside beside it (path.damaged-1, …), oldest first.
std::vector<std::filesystem::path> WithDamaged(const std::filesystem::path& path);

}  // namespace headroom::record
