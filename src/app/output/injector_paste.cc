// Pastes text from the clipboard: exact on every layout, in constant time. The other program asks
// for the text when it gets the paste key, without a notification to this one.
#include <poll.h>

#include <algorithm>
#include <array>
#include <optional>

#include "app/output/clipboard.h"
#include "app/output/injector.h"

namespace headroom::output {
namespace {

constexpr Milliseconds kFetch{200};  // between two pastes when the clipboard is not restored

void Sleep(Milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

class Paste : public Injector {
 public:
  Paste(const InjectorContext& context, Chord key, Clipboard clipboard,
        std::vector<std::unique_ptr<Injector>> keys)
      : context_(context), key_(key), clipboard_(std::move(clipboard)), keys_(std::move(keys)) {}
  ~Paste() override { (void)PutBack(); }

  Result<> Type(const std::string& text) override {
    if (text.empty()) return {};
    if (pasted_) Sleep(fetch());
    Borrow();
    text_ = text;
    for (const Selection selection : selections())
      TRY(clipboard_.Write(selection, {.type = "", .bytes = text}));
    TRY(Press(key_, 1));
    pasted_ = true;
    return {};
  }

  Result<> Press(const Chord& chord, int times) override {
    if (pasted_) Sleep(fetch());
    std::optional<Error> why;
    while (!keys_.empty()) {
      auto pressed = keys_.front()->Press(chord, times);
      if (pressed) return pressed;
      if (pressed.error().code == Errc::kTimeout) return pressed;
      why = pressed.error();
      keys_.erase(keys_.begin());  // use the next one from now on
    }
    if (why) return Fail(std::move(*why));
    return Fail(Errc::kNotFound, "no program can press the paste key");
  }

  Result<> Finish() override {
    Result<> done = PutBack();
    for (const auto& keys : keys_) {
      if (done) done = keys->Finish();
    }
    return done;
  }

 private:
  Milliseconds fetch() const { return std::max(context_.options.restore_after, kFetch); }

  /// Shift+Insert pastes the primary selection in some terminals and the clipboard elsewhere.
  std::vector<Selection> selections() const {
    if (key_.key == Chord::Key::kInsert) return {Selection::kPrimary, Selection::kClipboard};
    return {Selection::kClipboard};
  }

  void Borrow() {
    if (borrowed_ || context_.options.restore_after.count() == 0) return;
    borrowed_ = true;
    for (const Selection selection : selections())
      before_[Index(selection)] = clipboard_.Read(selection).value_or(std::nullopt);
  }

  Result<> PutBack() {
    if (!std::exchange(borrowed_, false)) return {};
    if (pasted_) Sleep(context_.options.restore_after);
    pasted_ = false;
    for (const Selection selection : selections()) {
      const std::optional<Clip>& before = before_[Index(selection)];
      const auto now = clipboard_.Read(selection);
      // The user copied something meanwhile, which must stay.
      if (now && *now && (*now)->bytes != text_) continue;
      TRY(before ? clipboard_.Write(selection, *before) : clipboard_.Clear(selection));
    }
    return {};
  }

  static std::size_t Index(Selection selection) { return static_cast<std::size_t>(selection); }

  InjectorContext context_;
  Chord key_;
  Clipboard clipboard_;
  std::vector<std::unique_ptr<Injector>> keys_;
  std::array<std::optional<Clip>, 2> before_;  // by Selection
  bool borrowed_ = false, pasted_ = false;
  std::string text_;  // the last one that was pasted
};

}  // namespace

Result<std::unique_ptr<Injector>> MakePaste(const InjectorContext& context) {
  TRY_ASSIGN(const Chord key, ParseChord(context.options.paste_key));
  TRY_ASSIGN(Clipboard clipboard, Clipboard::Of(context.session));
  std::vector<std::unique_ptr<Injector>> keys;
  std::string why;
  const bool wayland = context.session.kind == SessionKind::kWayland;
  for (const char* name : {wayland ? "wtype" : "xdotool", "ydotool"}) {
    auto made = MakeInjector(name, context);
    if (made)
      keys.push_back(std::move(*made));
    else
      why += (why.empty() ? "" : ", ") + made.error().what;
  }
  if (keys.empty()) return Fail(Errc::kNotFound, "no program can press the paste key: {}", why);
  return std::make_unique<Paste>(context, key, std::move(clipboard), std::move(keys));
}

}  // namespace headroom::output
