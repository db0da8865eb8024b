#include "memory/plan.h"

#include <algorithm>
#include <cmath>

namespace headroom::memory {
namespace {

constexpr Bytes kLargest(std::int64_t{1} << 50);

Need Beyond(const std::vector<Workspace>& table, Milliseconds chunk) {
  const Workspace& last = table.back();
  const double x = static_cast<double>(chunk.count());
  const double x1 = static_cast<double>(last.chunk.count());
  const double y1 = static_cast<double>(last.bytes.n);
  double x0 = 0, y0 = 0;  // a single entry: through the origin
  if (table.size() > 1) {
    x0 = static_cast<double>(table[table.size() - 2].chunk.count());
    y0 = static_cast<double>(table[table.size() - 2].bytes.n);
  }
  const double slope = x1 > x0 ? std::max(0.0, (y1 - y0) / (x1 - x0)) : 0.0;
  const double bytes = std::min(y1 + slope * (x - x1), static_cast<double>(kLargest.n));
  return {Bytes(std::llround(std::ceil(bytes))), true};
}

}  // namespace

std::string_view Name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kDiscrete:
      return "discrete";
    case DeviceKind::kUnified:
      return "unified";
    case DeviceKind::kCpu:
      return "cpu";
  }
  return "cpu";
}

std::string Plan::Title() const {
  return fmt::format("{}{}{} on {}", model, quantisation.empty() ? "" : " ", quantisation,
                     device.empty() ? Name(kind) : std::string_view(device));
}

Bytes Plan::Resident() const {
  const Bytes device_bytes = weights + kv + driver + margin;
  return kind == DeviceKind::kDiscrete ? device_bytes : device_bytes + host;
}

Need Plan::WorkspaceFor(RunSize size) const {
  const std::vector<Workspace>& table = size.batched && !batched.empty() ? batched : workspace;
  if (table.empty()) return {Bytes(0), true};
  const auto next =
      std::lower_bound(table.begin(), table.end(), size.chunk,
                       [](const Workspace& entry, Milliseconds at) { return entry.chunk < at; });
  if (next != table.end()) return {next->bytes, false};
  return Beyond(table, size.chunk);
}

Need Plan::Peak(RunSize size) const {
  const Need run = WorkspaceFor(size);
  return {Resident() + run.bytes, run.extrapolated};
}

Bytes Plan::HostPeak(RunSize size) const {
  return kind == DeviceKind::kDiscrete ? host : Peak(size).bytes;
}

Result<> Validate(const Plan& plan) {
  const auto refuse = [&](std::string_view what) {
    return Fail(Errc::kInvalid, "plan of {}: {}", plan.Title(), what);
  };
  for (const Bytes bytes : {plan.weights, plan.kv, plan.driver, plan.margin, plan.host}) {
    if (bytes.n < 0 || bytes > kLargest) return refuse("a size is negative or absurd");
  }
  if (plan.workspace.empty()) return refuse("no workspace was counted");
  if (plan.batch < 1 || plan.batched.empty() != (plan.batch == 1))
    return refuse("a batch and its workspace go together");
  for (const auto* table : {&plan.workspace, &plan.batched}) {
    const Workspace* before = nullptr;
    for (const Workspace& entry : *table) {
      if (entry.chunk.count() <= 0 || entry.bytes.n < 0 || entry.bytes > kLargest)
        return refuse("a workspace is negative or absurd");
      if (before && (entry.chunk <= before->chunk || entry.bytes < before->bytes))
        return refuse("the workspace table does not ascend");
      before = &entry;
    }
  }
  return {};
}

}  // namespace headroom::memory
