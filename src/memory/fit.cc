#include "memory/fit.h"

#include <algorithm>
#include <cmath>

namespace headroom::memory {
namespace {

// Exact for sizes below 2^46: both products are whole numbers that a double holds.
bool Within(Bytes bytes, double percent, Bytes total) {
  return static_cast<double>(bytes.n) * 100 <= static_cast<double>(total.n) * percent;
}

double Percent(Bytes bytes, Bytes total) {
  return total.n > 0 ? static_cast<double>(bytes.n) * 100 / static_cast<double>(total.n) : 0;
}

std::string Sum(const Plan& plan, const Room& room) {
  std::string sum = fmt::format("{} MiB weights", Mebibytes(plan.weights));
  const auto add = [&](Bytes bytes, std::string_view what) {
    if (bytes.n > 0) sum += fmt::format(" + {} {}", Mebibytes(bytes), what);
  };
  add(plan.kv, "KV");
  add(plan.driver, "driver");
  add(plan.margin, "margin");
  if (plan.kind != DeviceKind::kDiscrete) add(plan.host, "host");
  add(room.others, "others");
  return sum;
}

// Where a percentage rounds onto the threshold that it must be distinguished from.
std::string Share(double percent, double threshold) {
  return std::abs(percent - threshold) < 1 && std::abs(percent - threshold) > 0
             ? fmt::format("{:.2f} %", percent)
             : fmt::format("{:.0f} %", percent);
}

std::string Explain(const Plan& plan, RunSize size, const Room& room, const FitRules& rules,
                    const FitNumbers& numbers) {
  if (room.total.n <= 0) return "UNSAFE: the size of the device's memory is not known";
  const bool is_host = plan.kind != DeviceKind::kDiscrete;
  const double threshold = numbers.resident_percent > rules.safe ? rules.marginal : rules.safe;
  std::string text = fmt::format("{}: {} = {} MiB = {} of {} MiB{}", Name(numbers.fit),
                                 Sum(plan, room), Mebibytes(numbers.resident + room.others),
                                 Share(numbers.resident_percent, threshold), Mebibytes(room.total),
                                 is_host ? " available" : "");
  if (numbers.resident_percent > rules.marginal)
    text += fmt::format(" > {:g} %", rules.marginal);
  else if (numbers.resident_percent > rules.safe)
    text += fmt::format(" > {:g} %, <= {:g} %", rules.safe, rules.marginal);
  text += fmt::format(
      "; with {} MiB workspace for {}{:g} s {} {} {:g} %", Mebibytes(numbers.workspace),
      size.batched ? fmt::format("{} times ", plan.batch) : std::string(),
      static_cast<double>(size.chunk.count()) / 1000, Share(numbers.peak_percent, rules.peak),
      numbers.peak_percent > rules.peak ? ">" : "<=", rules.peak);
  if (numbers.host_short)
    text += fmt::format("; {} MiB of host memory > {:g} % of {} MiB available",
                        Mebibytes(plan.host), rules.safe, Mebibytes(*room.host));
  if (numbers.extrapolated) text += "; workspace extrapolated";
  if (!plan.exact) text += "; estimated";
  return text;
}

std::optional<std::pair<Milliseconds, FitResult>> Longest(const Option& option,
                                                          const FitRules& rules,
                                                          std::span<const Milliseconds> chunks) {
  for (const Milliseconds chunk : chunks) {
    if (Measure(option.plan, chunk, option.room, rules).fit != Fit::kUnsafe)
      return std::pair(chunk, Judge(option.plan, chunk, option.room, rules));
  }
  return std::nullopt;
}

std::string Say(Way way, const Plan& plan, Milliseconds chunk, const FitResult& fit) {
  const double seconds = static_cast<double>(chunk.count()) / 1000;
  switch (way) {
    case Way::kAsAsked:
      return fmt::format("{} fits as it is ({})", plan.Title(), fit.text);
    case Way::kShorterChunk:
      return fmt::format("a shorter chunk: at most {:g} s at once ({})", seconds, fit.text);
    case Way::kSmallerQuantisation:
      return fmt::format("a smaller quantisation: {}, {:g} s at once ({})", plan.Title(), seconds,
                         fit.text);
    case Way::kOtherModel:
      return fmt::format("another model: {}, {:g} s at once ({})", plan.Title(), seconds, fit.text);
  }
  return fit.text;
}

}  // namespace

std::string_view Name(Fit fit) {
  switch (fit) {
    case Fit::kSafe:
      return "SAFE";
    case Fit::kMarginal:
      return "MARGINAL";
    case Fit::kUnsafe:
      return "UNSAFE";
  }
  return "UNSAFE";
}

std::string Mebibytes(Bytes bytes) {
  const double mib = std::round(static_cast<double>(bytes.n) / 104857.6) / 10;
  return mib == std::round(mib) ? fmt::format("{:.0f}", mib) : fmt::format("{:.1f}", mib);
}

Room HostRoom(Bytes available, Bytes held, std::optional<Bytes> limit_left) {
  const Bytes below = limit_left ? std::min(available, *limit_left) : available;
  return {.total = std::max(below, Bytes(0)) + std::max(held, Bytes(0)), .others = {}, .host = {}};
}

FitNumbers Measure(const Plan& plan, RunSize size, const Room& room, const FitRules& rules,
                   Bytes extra) {
  FitNumbers numbers;
  const Need run = plan.WorkspaceFor(size);
  numbers.resident = plan.Resident() + extra;
  numbers.workspace = run.bytes;
  numbers.extrapolated = run.extrapolated;
  if (room.total.n <= 0) return numbers;
  const Bytes held = numbers.resident + room.others;
  const Bytes peak = held + run.bytes;
  numbers.resident_percent = Percent(held, room.total);
  numbers.peak_percent = Percent(peak, room.total);
  numbers.host_short =
      plan.kind == DeviceKind::kDiscrete && room.host && !Within(plan.host, rules.safe, *room.host);
  if (numbers.host_short || !Within(held, rules.marginal, room.total) ||
      !Within(peak, rules.peak, room.total))
    return numbers;
  numbers.fit = Within(held, rules.safe, room.total) ? Fit::kSafe : Fit::kMarginal;
  return numbers;
}

FitResult Judge(const Plan& plan, RunSize size, const Room& room, const FitRules& rules) {
  FitResult result;
  static_cast<FitNumbers&>(result) = Measure(plan, size, room, rules);
  result.text = Explain(plan, size, room, rules, result);
  return result;
}

std::vector<Advice> Advise(const Option& asked, std::span<const Option> options,
                           const FitRules& rules, std::span<const Milliseconds> chunks) {
  std::vector<Advice> advice;
  const auto add = [&](Way way, std::size_t index, const Option& option) {
    auto longest = Longest(option, rules, chunks);
    if (!longest) return;
    auto& [chunk, fit] = *longest;
    if (way == Way::kAsAsked && chunk != chunks.front()) way = Way::kShorterChunk;
    std::string text = Say(way, option.plan, chunk, fit);
    advice.push_back({way, index, chunk, std::move(fit), std::move(text)});
  };
  add(Way::kAsAsked, 0, asked);

  std::vector<std::size_t> smaller;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i].plan.model == asked.plan.model &&
        options[i].plan.Resident() < asked.plan.Resident())
      smaller.push_back(i);
  }
  std::stable_sort(smaller.begin(), smaller.end(), [&](std::size_t a, std::size_t b) {
    return options[a].plan.Resident() > options[b].plan.Resident();
  });
  for (const std::size_t i : smaller) add(Way::kSmallerQuantisation, i, options[i]);
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i].plan.model != asked.plan.model) add(Way::kOtherModel, i, options[i]);
  }
  return advice;
}

}  // namespace headroom::memory
