#include "app/output/target.h"

#include <algorithm>
#include <array>

#include "app/output/targets.h"
#include "base/text.h"

namespace headroom::output {
namespace {

constexpr std::array<std::string_view, 5> kKinds = {"stdout", "file", "command", "clipboard",
                                                    "type"};

}  // namespace

std::string_view Name(TargetKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

Result<TargetKind> ParseTargetKind(std::string_view text) {
  const auto* const found = std::ranges::find(kKinds, text);
  if (found != kKinds.end()) return static_cast<TargetKind>(found - kKinds.begin());
  return Fail(Errc::kInvalid, "\"{}\" is not an output target; use one of {}", Printable(text),
              fmt::join(kKinds, ", "));
}

Result<std::unique_ptr<Target>> MakeTarget(const TargetOptions& options) {
  if (options.newlines == Newlines::kShiftEnter && options.kind != TargetKind::kType)
    return Fail(Errc::kInvalid, "Shift+Enter for new lines works only for typing, not for {}",
                Name(options.kind));
  switch (options.kind) {
    case TargetKind::kStdout:
      return MakeStdoutTarget(options);
    case TargetKind::kFile:
      if (options.path.empty()) return Fail(Errc::kInvalid, "the output target file needs a path");
      return MakeFileTarget(options);
    case TargetKind::kCommand:
      if (options.command.empty() || options.command[0].empty())
        return Fail(Errc::kInvalid, "the output target command needs a command");
      return MakeCommandTarget(options);
    case TargetKind::kClipboard:
      return MakeClipboardTarget(options);
    case TargetKind::kType:
      return MakeTypingTarget(options);
  }
  return Fail(Errc::kInternal, "unknown output target");
}

}  // namespace headroom::output
