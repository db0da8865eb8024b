#include <poll.h>
#include <unistd.h>

#include <limits.h>
#include <algorithm>

#include "app/output/targets.h"
#include "app/output/text_for.h"
#include "base/fd.h"

namespace headroom::output {
namespace {

class StdoutTarget : public Target {
 public:
  explicit StdoutTarget(const TargetOptions& options)
      : newlines_(options.newlines.value_or(Newlines::kKeep)),
        after_(options.after.value_or("\n")),
        deadline_(options.deadline) {}

  std::string name() const override { return "standard output"; }
  bool acknowledges() const override { return true; }
  bool repeatable() const override { return false; }

  Result<> Deliver(const Delivery& delivery) override {
    const std::string line = TextFor(delivery.text, newlines_) + after_;
    const MonoTime deadline = SystemClock().Now() + deadline_;
    for (std::string_view left = line; !left.empty();) {
      const auto time = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now());
      pollfd room{STDOUT_FILENO, POLLOUT, 0};
      if (::poll(&room, 1, static_cast<int>(std::max<std::int64_t>(time.count(), 0))) == 0)
        return Fail(Errc::kTimeout, "standard output is not being read; the text was not written");
      // A writable pipe takes PIPE_BUF bytes without blocking.
      const std::string_view piece = left.substr(0, PIPE_BUF);
      auto written = WriteAll(STDOUT_FILENO, piece);
      if (!written) return Within(written, "standard output");
      left.remove_prefix(piece.size());
    }
    return {};
  }

 private:
  Newlines newlines_;
  std::string after_;
  Milliseconds deadline_;
};

}  // namespace

std::unique_ptr<Target> MakeStdoutTarget(const TargetOptions& options) {
  return std::make_unique<StdoutTarget>(options);
}

}  // namespace headroom::output
