#include "app/output/run_program.h"
#include "app/output/targets.h"
#include "app/output/text_for.h"

namespace headroom::output {
namespace {

// The kernel refuses a single variable of 128 KiB; standard input has no limit.
constexpr std::size_t kMostInEnvironment = 100'000;

class CommandTarget : public Target {
 public:
  explicit CommandTarget(const TargetOptions& options)
      : command_(options.command),
        newlines_(options.newlines.value_or(Newlines::kKeep)),
        after_(options.after.value_or("")),
        deadline_(options.deadline) {}

  std::string name() const override { return "command " + command_[0]; }
  bool acknowledges() const override { return true; }
  bool repeatable() const override { return false; }

  Result<> Deliver(const Delivery& delivery) override {
    const std::string text = TextFor(delivery.text, newlines_) + after_;
    Program program{.argv = command_, .input = text, .deadline = deadline_};
    program.environment = {{"HEADROOM_UTTERANCE", std::to_string(delivery.id)},
                           {"HEADROOM_REPEATED", delivery.repeated ? "1" : "0"},
                           {"HEADROOM_TEXT", text.size() <= kMostInEnvironment ? text : ""}};
    TRY_ASSIGN(const Ran ran, RunProgram(program));
    if (ran.exit.ok()) return {};
    // Leaves out the command's output: it may contain the text, and this line is logged.
    return Fail(Errc::kIo, "the command {} {}; the text counts as undelivered", command_[0],
                Describe(ran.exit));
  }

 private:
  std::vector<std::string> command_;
  Newlines newlines_;
  std::string after_;
  Milliseconds deadline_;
};

}  // namespace

std::unique_ptr<Target> MakeCommandTarget(const TargetOptions& options) {
  return std::make_unique<CommandTarget>(options);
}

}  // namespace headroom::output
