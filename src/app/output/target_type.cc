#include <algorithm>

#include "app/output/injector.h"
#include "app/output/targets.h"
#include "app/output/text_for.h"

namespace headroom::output {
namespace {

// To take back more text, or to do it later, would most likely delete something else.
constexpr int kMostBackspaces = 400;
constexpr Milliseconds kNotLongAgo{60'000};

const char* Advice(SessionKind kind) {
  return kind == SessionKind::kWayland
             ? "install wtype (sway, Hyprland), or wl-clipboard and ydotool (GNOME, KDE)"
             : "install xdotool and xclip";
}

class TypingTarget : public Target {
 public:
  explicit TypingTarget(const TargetOptions& options)
      : options_(options),
        newlines_(options.newlines.value_or(Newlines::kSpace)),
        after_(options.after.value_or(" ")) {}

  std::string name() const override { return "typing"; }
  bool acknowledges() const override { return false; }
  bool repeatable() const override { return false; }

  Result<> Deliver(const Delivery& delivery) override {
    last_.reset();
    if (options_.locked && options_.locked())
      return Fail(Errc::kBusy, "the session is locked, so nothing is typed");
    InjectorContext context{FindSession(), options_.typing, options_.deadline};
    if (context.session.kind == SessionKind::kNone)
      return Fail(Errc::kNotFound, "no graphical session to type into");
    const std::vector<std::string> lines =
        KeyLines(TextFor(delivery.text, newlines_) + after_,
                 newlines_ == Newlines::kSpace ? Newlines::kKeep : newlines_);
    std::string why;
    const std::vector<std::string> names = options_.typing.injectors.empty()
                                               ? UsualInjectors(context.session.kind, delivery.text)
                                               : options_.typing.injectors;
    for (const std::string& name : names) {
      bool begun = false;
      auto done = TypeWith(name, context, lines, begun);
      if (done && lines.size() == 1) last_ = {name, lines.front(), SystemClock().Now()};
      if (done) return done;
      // Another injector could type the text a second time.
      if (begun) return done;
      why += (why.empty() ? "" : "; ") + done.error().what;
    }
    return Fail(Errc::kNotFound, "the text cannot be typed ({}); {}", why,
                Advice(context.session.kind));
  }

  Result<> TakeBack() override {
    const std::optional<Typed> last = std::exchange(last_, std::nullopt);
    const std::optional<int> times = last && SystemClock().Now() - last->at < kNotLongAgo
                                         ? BackspacesFor(last->text)
                                         : std::nullopt;
    if (!times || *times > kMostBackspaces)
      return Fail(Errc::kUnsupported, "typing: the typed text cannot be taken back");
    if (options_.locked && options_.locked())
      return Fail(Errc::kBusy, "the session is locked, so nothing is typed");
    const InjectorContext context{FindSession(), options_.typing, options_.deadline};
    TRY_ASSIGN(const std::unique_ptr<Injector> injector, MakeInjector(last->injector, context));
    TRY(injector->Press({.key = Chord::Key::kBackspace}, *times));
    return injector->Finish();
  }

 private:
  struct Typed {
    std::string injector, text;
    MonoTime at;
  };

  /// `begun`: some of it may have been typed.
  Result<> TypeWith(const std::string& name, const InjectorContext& context,
                    const std::vector<std::string>& lines, bool& begun) {
    TRY_ASSIGN(const std::unique_ptr<Injector> injector, MakeInjector(name, context));
    const Chord enter{.key = Chord::Key::kReturn, .shift = newlines_ == Newlines::kShiftEnter};
    const auto attempt = [&](Result<> done) {
      begun = begun || done || done.error().code == Errc::kTimeout;
      return done;
    };
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i > 0) TRY(attempt(injector->Press(enter, 1)));
      if (!lines[i].empty()) TRY(attempt(injector->Type(lines[i])));
    }
    // The text has arrived, even if the clipboard cannot be restored.
    (void)injector->Finish();
    return {};
  }

  TargetOptions options_;
  Newlines newlines_;
  std::string after_;
  std::optional<Typed> last_;  // only texts of one line
};

}  // namespace

Result<std::unique_ptr<Target>> MakeTypingTarget(const TargetOptions& options) {
  TRY(ParseChord(options.typing.paste_key));
  for (const std::string& name : options.typing.injectors) {
    if (std::ranges::find(kInjectors, name) != kInjectors.end()) continue;
    return Fail(Errc::kInvalid,
                "\"{}\" is not a typing method; use wtype, xdotool, ydotool or paste", name);
  }
  return std::make_unique<TypingTarget>(options);
}

}  // namespace headroom::output
