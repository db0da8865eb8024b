// xdotool: the X server's test extension.
#include <algorithm>

#include "app/output/injector.h"
#include "app/output/run_program.h"

namespace headroom::output {
namespace {

constexpr Milliseconds kShortestDelay{2};
// Characters beyond ASCII may not be on the keyboard. xdotool then maps each to a spare key, and a
// window that processes the mapping too late shows the next character instead.
constexpr Milliseconds kUnicodeDelay{40};

class Xdotool : public Injector {
 public:
  explicit Xdotool(const InjectorContext& context) : context_(context) {}

  Result<> Type(const std::string& text) override {
    const Milliseconds least = IsAscii(text) ? kShortestDelay : kUnicodeDelay;
    const Milliseconds delay = std::max(context_.options.key_delay, least);
    used_ = true;
    return Run({"xdotool", "type", "--clearmodifiers", "--delay", std::to_string(delay.count()),
                "--file", "-"},
               text, DeadlineFor(text, context_, delay));
  }

  Result<> Press(const Chord& chord, int times) override {
    std::string keys;
    if (chord.shift) keys += "shift+";
    if (chord.ctrl) keys += "ctrl+";
    if (chord.alt) keys += "alt+";
    if (chord.super) keys += "super+";
    used_ = true;
    std::vector<std::string> argv = {"xdotool", "key", "--clearmodifiers"};
    for (int i = 0; i < times; ++i) argv.push_back(keys + KeysymName(chord.key));
    return Run(std::move(argv), "", context_.deadline);
  }

  // xdotool presses modifiers again that were held at its start. If the user released one
  // meanwhile, nothing else would release it.
  Result<> Finish() override {
    if (!std::exchange(used_, false)) return {};
    std::vector<std::string> argv = {"xdotool"};
    for (const char* key : {"Shift_L", "Shift_R", "Control_L", "Control_R", "Alt_L", "Alt_R",
                            "Super_L", "Super_R", "Meta_L", "ISO_Level3_Shift"})
      argv.insert(argv.end(), {"keyup", key});
    return Run(std::move(argv), "", context_.deadline);
  }

 private:
  Result<> Run(std::vector<std::string> argv, const std::string& text, Milliseconds deadline) {
    TRY(RunWell({.argv = std::move(argv),
                 .input = text,
                 .environment = context_.session.environment,
                 .deadline = deadline}));
    return {};
  }

  InjectorContext context_;
  bool used_ = false;
};

}  // namespace

Result<std::unique_ptr<Injector>> MakeXdotool(const InjectorContext& context) {
  const auto& environment = context.session.environment;
  if (std::ranges::none_of(environment, [](auto& e) { return e.first == "DISPLAY"; }))
    return Fail(Errc::kUnsupported, "xdotool needs an X display");
  if (!HaveProgram("xdotool")) return Fail(Errc::kNotFound, "xdotool is not installed");
  return std::make_unique<Xdotool>(context);
}

}  // namespace headroom::output
