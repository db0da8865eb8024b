#include "app/output/injector.h"

#include <algorithm>
#include <cctype>

#include "app/output/run_program.h"
#include "base/text.h"

namespace headroom::output {
namespace {

constexpr Milliseconds kPerByte{25};
// Longer texts take seconds to type, during which the user may change to another window.
constexpr std::size_t kLongText = 1000;

}  // namespace

Result<Chord> ParseChord(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::vector<std::string> parts = Split(lower, '+');
  const std::string key = parts.back();
  parts.pop_back();
  Chord chord;
  bool known = true;
  if (key == "insert")
    chord.key = Chord::Key::kInsert;
  else if (key == "v")
    chord.key = Chord::Key::kV;
  else if (key == "return" || key == "enter")
    chord.key = Chord::Key::kReturn;
  else
    known = false;
  for (const std::string& modifier : parts) {
    if (modifier == "shift")
      chord.shift = true;
    else if (modifier == "ctrl")
      chord.ctrl = true;
    else if (modifier == "alt")
      chord.alt = true;
    else if (modifier == "super")
      chord.super = true;
    else
      known = false;
  }
  if (!known)
    return Fail(Errc::kInvalid,
                "\"{}\" is not a paste key; use shift+Insert, ctrl+v or ctrl+shift+v",
                Printable(text));
  return chord;
}

const char* KeysymName(Chord::Key key) {
  switch (key) {
    case Chord::Key::kInsert:
      return "Insert";
    case Chord::Key::kV:
      return "v";
    case Chord::Key::kReturn:
      return "Return";
    case Chord::Key::kBackspace:
      return "BackSpace";
  }
  return "";
}

Result<std::unique_ptr<Injector>> MakeInjector(std::string_view name,
                                               const InjectorContext& context) {
  if (name == "wtype") return MakeWtype(context);
  if (name == "xdotool") return MakeXdotool(context);
  if (name == "ydotool") return MakeYdotool(context);
  if (name == "paste") return MakePaste(context);
  return Fail(Errc::kInvalid, "\"{}\" is not a typing method; use wtype, xdotool, ydotool or paste",
              Printable(name));
}

std::vector<std::string> UsualInjectors(SessionKind kind, const std::string& text) {
  const bool is_long = text.size() > kLongText;
  switch (kind) {
    // ydotool presses keys of a US keyboard whatever the layout is, so it only pastes.
    case SessionKind::kWayland:
      if (is_long) return {"paste", "wtype"};
      return {"wtype", "paste"};
    case SessionKind::kX11:
      // xdotool is exact only for characters on the keyboard.
      if (is_long || !IsAscii(text)) return {"paste", "xdotool"};
      return {"xdotool", "paste"};
    case SessionKind::kNone:
      break;
  }
  return {};
}

Milliseconds DeadlineFor(const std::string& text, const InjectorContext& context,
                         Milliseconds delay) {
  return context.deadline + std::max(kPerByte, 3 * delay) * static_cast<std::int64_t>(text.size());
}

bool IsAscii(const std::string& text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; });
}

}  // namespace headroom::output
