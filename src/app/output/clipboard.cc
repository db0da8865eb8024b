#include "app/output/clipboard.h"

#include <algorithm>

#include "app/output/run_program.h"
#include "base/text.h"

namespace headroom::output {
namespace {

constexpr Milliseconds kDeadline{3000};  // the clipboard's owner may hang
constexpr Bytes kMost = MiB(32);

bool IsText(std::string_view type) {
  return type.starts_with("text/plain") || type == "UTF8_STRING" || type == "STRING" ||
         type == "TEXT" || type == "COMPOUND_TEXT";
}

// X also lists targets that are not content.
bool IsContent(std::string_view type) {
  return !type.empty() && type != "TARGETS" && type != "TIMESTAMP" && type != "MULTIPLE" &&
         type != "SAVE_TARGETS" && type != "DELETE" && type != "INSERT_SELECTION" &&
         type != "INSERT_PROPERTY";
}

}  // namespace

Result<Clipboard> Clipboard::Of(const Session& session) {
  switch (session.kind) {
    case SessionKind::kWayland:
      if (HaveProgram("wl-copy") && HaveProgram("wl-paste"))
        return Clipboard(Program::kWlClipboard, session);
      return Fail(Errc::kNotFound, "wl-clipboard is not installed (it has wl-copy and wl-paste)");
    case SessionKind::kX11:
      if (HaveProgram("xclip")) return Clipboard(Program::kXclip, session);
      if (HaveProgram("xsel")) return Clipboard(Program::kXsel, session);
      return Fail(Errc::kNotFound, "neither xclip nor xsel is installed");
    case SessionKind::kNone:
      break;
  }
  return Fail(Errc::kNotFound, "no graphical session, so no clipboard");
}

std::vector<std::string> Clipboard::Command(bool write, Selection selection,
                                            const std::string& type) const {
  const bool primary = selection == Selection::kPrimary;
  std::vector<std::string> argv;
  switch (program_) {
    case Program::kWlClipboard:
      argv = {write ? "wl-copy" : "wl-paste"};
      if (!write) argv.emplace_back("--no-newline");
      if (primary) argv.emplace_back("--primary");
      // Else wl-copy would guess from the content.
      argv.insert(argv.end(),
                  {"--type", type.empty() ? (write ? "text/plain;charset=utf-8" : "text") : type});
      break;
    case Program::kXclip:
      argv = {"xclip", write ? "-in" : "-out", "-selection", primary ? "primary" : "clipboard"};
      if (!type.empty() || !write)
        argv.insert(argv.end(), {"-target", type.empty() ? "UTF8_STRING" : type});
      break;
    case Program::kXsel:
      argv = {"xsel", write ? "--input" : "--output", primary ? "--primary" : "--clipboard"};
      break;
  }
  return argv;
}

Result<std::vector<std::string>> Clipboard::Types(Selection selection) const {
  if (program_ == Program::kXsel) return std::vector<std::string>{"UTF8_STRING"};
  std::vector<std::string> argv = Command(false, selection, "TARGETS");
  if (program_ == Program::kWlClipboard) {
    argv = {"wl-paste", "--list-types"};
    if (selection == Selection::kPrimary) argv.emplace_back("--primary");
  }
  TRY_ASSIGN(const Ran ran, RunProgram({.argv = std::move(argv),
                                        .environment = session_.environment,
                                        .deadline = kDeadline}));
  return ran.exit.ok() ? Split(ran.out, '\n') : std::vector<std::string>{};
}

Result<std::optional<Clip>> Clipboard::Read(Selection selection) const {
  TRY_ASSIGN(const std::vector<std::string> types, Types(selection));
  Clip clip;
  if (std::ranges::none_of(types, IsText)) {
    const auto image = std::ranges::find(types, "image/png");
    const auto any = image != types.end() ? image : std::ranges::find_if(types, IsContent);
    if (any == types.end()) return std::nullopt;
    clip.type = *any;
  }
  auto ran = RunProgram({.argv = Command(false, selection, clip.type),
                         .environment = session_.environment,
                         .deadline = kDeadline,
                         .most_output = kMost});
  if (!ran && ran.error().code == Errc::kNoMemory) return std::nullopt;
  if (!ran) return Fail(std::move(ran.error()));
  if (!ran->exit.ok()) return std::nullopt;
  clip.bytes = std::move(ran->out);
  return clip;
}

Result<> Clipboard::Write(Selection selection, const Clip& clip) const {
  TRY(RunWell({.argv = Command(true, selection, clip.type),
               .input = clip.bytes,
               .environment = session_.environment,
               .deadline = kDeadline}));
  return {};
}

Result<> Clipboard::Clear(Selection selection) const {
  if (program_ != Program::kWlClipboard) return Write(selection, {.type = "", .bytes = ""});
  std::vector<std::string> argv = {"wl-copy", "--clear"};
  if (selection == Selection::kPrimary) argv.emplace_back("--primary");
  TRY(RunWell(
      {.argv = std::move(argv), .environment = session_.environment, .deadline = kDeadline}));
  return {};
}

}  // namespace headroom::output
