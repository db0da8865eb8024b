// wtype: Wayland's virtual keyboard protocol, which wlroots compositors (sway, Hyprland, river,
// labwc) support and GNOME and KDE do not.
#include "app/output/injector.h"
#include "app/output/run_program.h"

namespace headroom::output {
namespace {

class Wtype : public Injector {
 public:
  explicit Wtype(const InjectorContext& context) : context_(context) {}

  Result<> Type(const std::string& text) override {
    std::vector<std::string> argv = Start();
    if (context_.options.key_delay.count() > 0)
      argv.insert(argv.end(), {"-d", std::to_string(context_.options.key_delay.count())});
    argv.emplace_back("-");  // on standard input, since all users can read a process's arguments
    return Run(std::move(argv), text);
  }

  Result<> Press(const Chord& chord, int times) override {
    std::vector<std::string> argv = Start();
    const std::pair<bool, const char*> modifiers[] = {
        {chord.shift, "shift"}, {chord.ctrl, "ctrl"}, {chord.alt, "alt"}, {chord.super, "logo"}};
    for (const auto& [held, name] : modifiers) {
      if (held) argv.insert(argv.end(), {"-M", name});
    }
    for (int i = 0; i < times; ++i) argv.insert(argv.end(), {"-k", KeysymName(chord.key)});
    for (const auto& [held, name] : modifiers) {
      if (held) argv.insert(argv.end(), {"-m", name});
    }
    return Run(std::move(argv), "");
  }

 private:
  // Without another keyboard the window may not know about wtype's yet when its first key comes, so
  // wtype waits between creating and using it.
  std::vector<std::string> Start() const {
    return {"wtype", "-s", std::to_string(context_.options.settle.count())};
  }

  Result<> Run(std::vector<std::string> argv, const std::string& text) {
    TRY(RunWell({.argv = std::move(argv),
                 .input = text,
                 .environment = context_.session.environment,
                 .deadline = DeadlineFor(text, context_, context_.options.key_delay)}));
    return {};
  }

  InjectorContext context_;
};

}  // namespace

Result<std::unique_ptr<Injector>> MakeWtype(const InjectorContext& context) {
  if (context.session.kind != SessionKind::kWayland)
    return Fail(Errc::kUnsupported, "wtype needs a Wayland session");
  if (!HaveProgram("wtype")) return Fail(Errc::kNotFound, "wtype is not installed");
  return std::make_unique<Wtype>(context);
}

}  // namespace headroom::output
