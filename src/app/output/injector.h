// Programs that press keys in other programs' windows.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/output/session.h"
#include "app/output/target.h"

namespace headroom::output {

/// One key with modifiers.
struct Chord {
  enum class Key { kInsert, kV, kReturn, kBackspace };
  Key key = Key::kReturn;
  bool shift = false, ctrl = false, alt = false, super = false;
};
/// "shift+Insert", "ctrl+v", upper or lower case.
Result<Chord> ParseChord(std::string_view text);
const char* KeysymName(Chord::Key key);  // as X and Wayland call it

class Injector {
 public:
  virtual ~Injector() = default;
  /// Text without control characters. kTimeout: some of it may have been typed; any other Error:
  /// none of it was.
  virtual Result<> Type(const std::string& text) = 0;
  virtual Result<> Press(const Chord& chord, int times) = 0;
  /// After the last of them: puts back what was borrowed.
  virtual Result<> Finish() { return {}; }
};

/// What each Injector is made of.
struct InjectorContext {
  Session session;
  TypingOptions options;
  Milliseconds deadline;  // of a short text; long ones get more
};

/// kInvalid for a name that is none, kUnsupported where it does not suit the session, kNotFound
/// when it is not installed.
Result<std::unique_ptr<Injector>> MakeInjector(std::string_view name,
                                               const InjectorContext& context);

Result<std::unique_ptr<Injector>> MakeWtype(const InjectorContext& context);
Result<std::unique_ptr<Injector>> MakeXdotool(const InjectorContext& context);
Result<std::unique_ptr<Injector>> MakeYdotool(const InjectorContext& context);
Result<std::unique_ptr<Injector>> MakePaste(const InjectorContext& context);

/// What suits a session and a text, in order.
std::vector<std::string> UsualInjectors(SessionKind kind, const std::string& text);

/// Time for a text: an injector takes up to about 5 ms for a character, and the delay.
Milliseconds DeadlineFor(const std::string& text, const InjectorContext& context,
                         Milliseconds delay);

bool IsAscii(const std::string& text);

}  // namespace headroom::output
