// Whether a plan fits on a device, with the arithmetic as a person reads it. Pure.
//
//   resident + others <= 70 %  SAFE        and with the workspace of the longest chunk
//   resident + others <= 80 %  MARGINAL    resident + workspace + others <= 85 %,
//   above                      UNSAFE      or it is UNSAFE as well
//
// Others' use counts in both lines, so that SAFE means: the device is in its safe zone afterwards.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "memory/plan.h"

namespace headroom::memory {

enum class Fit { kSafe, kMarginal, kUnsafe };
std::string_view Name(Fit fit);  // "SAFE", "MARGINAL", "UNSAFE"

/// Percent of the device's memory.
struct FitRules {
  double safe = 70, marginal = 80, peak = 85;
};

/// The memory a plan is judged against.
/// Discrete: the GPU's total; `others` is what other processes hold of it.
/// Unified and CPU: `total` is MemAvailable and what a worker of ours, about to end, holds, or what
/// the cgroup limit leaves where that is smaller (see HostRoom). Others are then already outside
/// it.
struct Room {
  Bytes total;
  Bytes others;
  std::optional<Bytes> host;  // discrete: host memory for the worker's host bytes; unknown: ignored
};

/// Room for a unified or CPU device. `held`: what our worker that would end first holds.
/// `limit_left`: bytes below the cgroup's limit, counted with the same worker still there.
Room HostRoom(Bytes available, Bytes held, std::optional<Bytes> limit_left = std::nullopt);

/// The numbers alone: cheap enough for every sample.
struct FitNumbers {
  Fit fit = Fit::kUnsafe;
  Bytes resident, workspace;                      // the plan's
  double resident_percent = 0, peak_percent = 0;  // others counted; 0 when the room is empty
  bool extrapolated = false;
  bool host_short = false;  // UNSAFE because the host has no room
};
/// `extra`: bytes the plan was found to be short of.
FitNumbers Measure(const Plan& plan, RunSize size, const Room& room, const FitRules& rules = {},
                   Bytes extra = Bytes(0));

struct FitResult : FitNumbers {
  /// "SAFE: 998.6 MiB weights + 72 KV + 240 driver = 1310.6 MiB = 32 % of 4096 MiB; with 301 MiB
  /// workspace for 30 s 39 % <= 85 %"
  std::string text;
};
FitResult Judge(const Plan& plan, RunSize size, const Room& room, const FitRules& rules = {});

/// The knob, longest first. Shorter than 8 s costs words at the seams.
inline const std::vector<Milliseconds> kChunks = {Milliseconds(30'000), Milliseconds(15'000),
                                                  Milliseconds(8'000)};

enum class Way { kAsAsked, kShorterChunk, kSmallerQuantisation, kOtherModel };

struct Option {
  Plan plan;
  Room room;  // of that plan's device
};

struct Advice {
  Way way = Way::kAsAsked;
  std::size_t option = 0;  // index into the options; meaningless when the asked plan itself fits
  Milliseconds chunk{};
  FitResult fit;
  std::string text;  // "a shorter chunk: at most 15 s at once (…)"
};

/// What would fit instead of `asked`, best first: as asked, with a shorter chunk, a smaller
/// quantisation (largest first), then other models in the order given; each with the longest chunk
/// that fits. Empty: nothing fits.
std::vector<Advice> Advise(const Option& asked, std::span<const Option> options,
                           const FitRules& rules = {},
                           std::span<const Milliseconds> chunks = kChunks);

/// "998.6", "72": MiB with at most one decimal. For arithmetic lines.
std::string Mebibytes(Bytes bytes);

}  // namespace headroom::memory
