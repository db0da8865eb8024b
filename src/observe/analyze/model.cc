// What model was loaded, and whether it fits on that GPU.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory/replay.h"
#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

// "nvidia/canary-1b-flash" is "canary-1b-flash".
std::string ModelName(std::string_view subject) {
  const auto slash = subject.rfind('/');
  std::string name(slash == std::string_view::npos ? subject : subject.substr(slash + 1));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  while (!name.empty() && (name.back() == '.' || name.back() == ',' || name.back() == ':'))
    name.pop_back();
  return name;
}

// Whether one of the plans is of the model's family: "canary" of "canary-1b-flash". For any other
// model these plans are no alternative.
bool IsOfFamily(std::string_view name, const std::vector<memory::Plan>& plans) {
  return std::ranges::any_of(plans, [&](const memory::Plan& plan) {
    const std::string planned = ModelName(plan.model);
    const std::string_view family = std::string_view(planned).substr(0, planned.find('-'));
    return !family.empty() && name.find(family) != std::string_view::npos;
  });
}

}  // namespace

void FindModel(Context& context) {
  const Gauge* gauge = context.First(GaugeKind::kVram);
  if (!gauge || !gauge->total) return;
  const Evidence& evidence = context.evidence;
  const std::string& device = evidence.series()[gauge->series].device;
  ModelFit fit;
  Statement& statement = fit.statement;
  for (const Event& event : evidence.events()) {
    const EventType& type = evidence.type(event);
    if ((type.kind == EventKind::kLoad || type.kind == EventKind::kReady) &&
        !type.subject.empty()) {
      fit.model = ModelName(type.subject);
      statement.from.push_back(event.from);
      break;
    }
  }
  double allocated = 0;
  for (const Series& series : evidence.series()) {
    if (series.metric != Metric::kVramAllocated || series.device != device || series.points.empty())
      continue;
    if (const double level = MedianOf(series.points); level > allocated) {
      allocated = level;
      statement.from.push_back({series.source, series.points.front().line});
    }
  }
  if (fit.model.empty() && allocated == 0) return;  // nothing says that there was a model
  const double held = allocated > 0 && allocated <= gauge->baseline ? allocated : gauge->baseline;
  memory::Plan plan;
  plan.model = fit.model.empty() ? "the loaded model" : fit.model;
  plan.device = device;
  plan.weights = Bytes(std::llround(held));
  plan.workspace = {
      {Milliseconds(30'000), Bytes(std::llround(std::max(0.0, gauge->peak - gauge->baseline)))}};
  plan.exact = true;
  const Bytes total(std::llround(*gauge->total));
  const memory::Room room{total, Bytes(std::llround(std::max(0.0, gauge->baseline - held))),
                          std::nullopt};
  fit.model = plan.model;
  fit.total = *gauge->total;
  fit.fit = memory::Judge(plan, Milliseconds(30'000), room, context.options.fit);
  statement.text = fmt::format("{} is {}", fit.model, fit.fit.text);
  statement.basis = Basis::kDerived;
  const std::vector<memory::Plan> plans =
      context.options.plans.empty() ? memory::ExampleTiers() : context.options.plans;
  if (fit.fit.fit != memory::Fit::kSafe && IsOfFamily(fit.model, plans)) {
    std::vector<memory::Option> options;
    for (const memory::Plan& tier : plans) {
      if (tier.kind != memory::DeviceKind::kDiscrete)
        continue;  // the host's room is another matter
      options.push_back({tier, {total, Bytes(0), std::nullopt}});
    }
    for (memory::Advice& advice : memory::Advise({plan, room}, options, context.options.fit)) {
      if (advice.way == memory::Way::kAsAsked || advice.way == memory::Way::kShorterChunk) continue;
      fit.titles.push_back(options[advice.option].plan.Title());
      fit.advice.push_back(std::move(advice));
    }
  }
  context.findings.model = std::move(fit);
}

}  // namespace headroom::analyze
