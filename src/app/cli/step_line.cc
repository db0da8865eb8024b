#include "app/cli/step_line.h"

#include "base/bytes.h"

namespace headroom::cli {
namespace {
constexpr Milliseconds kRateSpan{3000};
constexpr Milliseconds kRateStep{200};
}  // namespace

models::Listener StepLine::listener() {
  return {[this](const models::Step& step) { Show(step); },
          [](const std::string& note) { Note(note); }};
}

void StepLine::Show(const models::Step& step) {
  if (!line_ || step.what != what_) {
    what_ = step.what;
    recent_.clear();
    line_.reset();  // only one Progress may exist
    line_.emplace(what_, clock_);
  }
  std::optional<double> fraction;
  if (step.total > Bytes(0))
    fraction = static_cast<double>(step.done.n) / static_cast<double>(step.total.n);
  line_->Show(fraction, Detail(step));
}

std::string StepLine::Detail(const models::Step& step) {
  const MonoTime now = clock_.Now();
  if (recent_.empty() || now - recent_.back().first >= kRateStep)
    recent_.emplace_back(now, step.done);
  while (recent_.size() > 2 && now - recent_.front().first > kRateSpan) recent_.pop_front();
  std::string detail = FormatDecimal(step.done);
  if (step.total > Bytes(0)) detail += " of " + FormatDecimal(step.total);
  const auto& [since, before] = recent_.front();
  const double seconds = std::chrono::duration<double>(now - since).count();
  if (seconds > 0.5 && step.done > before) {
    const double rate = static_cast<double>((step.done - before).n) / seconds;
    detail += ", " + FormatDecimal(Bytes(static_cast<std::int64_t>(rate))) + "/s";
  }
  return detail;
}

}  // namespace headroom::cli
