#include "app/output/target.h"

#include <algorithm>
#include <array>

#include "app/output/targets.h"
#include "base/text.h"

namespace headroom::output {
namespace {

constexpr std::array<std::string_view, kTargetKinds.size()> kNames = {"type", "clipboard", "stdout",
                                                                      "file", "command"};

}  // namespace

std::string_view Name(TargetKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

Result<TargetKind> ParseTargetKind(std::string_view text) {
  const auto* const found = std::ranges::find(kNames, text);
  if (found != kNames.end()) return static_cast<TargetKind>(found - kNames.begin());
  return Fail(Errc::kInvalid, "\"{}\" is not an output target; use one of {}", Printable(text),
              fmt::join(kNames, ", "));
}

Result<> Check(const TargetOptions& options) {
  if (options.kind == TargetKind::kFile && options.path.empty())
    return Fail(Errc::kInvalid, "\"file\" needs output.file");
  if (options.kind == TargetKind::kCommand &&
      (options.command.empty() || options.command[0].empty()))
    return Fail(Errc::kInvalid, "\"command\" needs output.command");
  return {};
}

Result<std::unique_ptr<Target>> MakeTarget(const TargetOptions& options) {
  TRY(Check(options));
  if (options.newlines == Newlines::kShiftEnter && options.kind != TargetKind::kType)
    return Fail(Errc::kInvalid, "Shift+Enter for new lines works only for typing, not for {}",
                Name(options.kind));
  switch (options.kind) {
    case TargetKind::kType:
      return MakeTypingTarget(options);
    case TargetKind::kClipboard:
      return MakeClipboardTarget(options);
    case TargetKind::kStdout:
      return MakeStdoutTarget(options);
    case TargetKind::kFile:
      return MakeFileTarget(options);
    case TargetKind::kCommand:
      return MakeCommandTarget(options);
  }
  return Fail(Errc::kInternal, "unknown output target");
}

}  // namespace headroom::output
