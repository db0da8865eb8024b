// ydotool: a virtual US keyboard in the kernel, for any session. Versions 0.1 (Debian 12) and 1.x
// have different command lines.
#include <algorithm>

#include "app/output/injector.h"
#include "app/output/run_program.h"
#include "base/text.h"

namespace headroom::output {
namespace {

constexpr Milliseconds kHelpDeadline{2000};

struct KeyName {
  const char* name;  // 0.1
  int code;          // 1.x: linux/input-event-codes.h
};

KeyName NameOf(Chord::Key key) {
  switch (key) {
    case Chord::Key::kInsert:
      return {"Insert", 110};
    case Chord::Key::kV:
      return {"v", 47};
    case Chord::Key::kReturn:
      return {"Enter", 28};
    case Chord::Key::kBackspace:
      return {"Backspace", 14};
  }
  return {"", 0};
}

class Ydotool : public Injector {
 public:
  Ydotool(const InjectorContext& context, bool old) : context_(context), old_(old) {}

  Result<> Type(const std::string& text) override {
    const auto typeable = [](unsigned char c) { return c >= ' ' && c < 0x7F; };
    if (!std::ranges::all_of(text, typeable))
      return Fail(Errc::kUnsupported, "ydotool can only type ASCII; use paste");
    // Not "-", which 1.x takes for a file name.
    return Run({"ydotool", "type", "--file", "/dev/stdin"}, text);
  }

  Result<> Press(const Chord& chord, int times) override {
    const std::pair<bool, KeyName> modifiers[] = {{chord.shift, {"shift", 42}},
                                                  {chord.ctrl, {"ctrl", 29}},
                                                  {chord.alt, {"alt", 56}},
                                                  {chord.super, {"super", 125}}};
    std::vector<KeyName> keys;
    for (const auto& [held, key] : modifiers) {
      if (held) keys.push_back(key);
    }
    keys.push_back(NameOf(chord.key));
    std::vector<std::string> argv = {"ydotool", "key"};
    for (int i = 0; i < times; ++i) {
      if (old_) {
        std::string names;
        for (const KeyName& key : keys) names += (names.empty() ? "" : "+") + std::string(key.name);
        argv.push_back(names);
        continue;
      }
      for (const KeyName& key : keys) argv.push_back(fmt::format("{}:1", key.code));
      for (auto key = keys.rbegin(); key != keys.rend(); ++key)
        argv.push_back(fmt::format("{}:0", key->code));
    }
    return Run(std::move(argv), "");
  }

 private:
  Result<> Run(std::vector<std::string> argv, const std::string& text) {
    const Program program{.argv = std::move(argv),
                          .input = text,
                          .environment = context_.session.environment,
                          .deadline = DeadlineFor(text, context_, context_.options.key_delay)};
    if (!old_) {
      auto ran = RunWell(program);
      if (!ran && ran.error().code == Errc::kIo)
        return Fail(Errc::kIo, "ydotool cannot reach ydotoold; start it (ydotool.service)");
      if (!ran) return Fail(std::move(ran.error()));
      return {};
    }
    // 0.1 exits with the number of its arguments on success, so the exit code shows only a crash.
    TRY_ASSIGN(const Ran ran, RunProgram(program));
    if (ran.exit.signal == 0 && ran.err.find("error") == std::string::npos) return {};
    return Fail(Errc::kIo, "ydotool cannot write to /dev/uinput; see docs/desktop.md");
  }

  InjectorContext context_;
  bool old_;
};

}  // namespace

Result<std::unique_ptr<Injector>> MakeYdotool(const InjectorContext& context) {
  if (!HaveProgram("ydotool")) return Fail(Errc::kNotFound, "ydotool is not installed");
  TRY_ASSIGN(const Ran help,
             RunProgram({.argv = {"ydotool", "--help"}, .deadline = kHelpDeadline}));
  const bool old = (help.out + help.err).find("recorder") != std::string::npos;
  return std::make_unique<Ydotool>(context, old);
}

}  // namespace headroom::output
