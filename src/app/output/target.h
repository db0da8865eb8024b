// Where recognised text goes. A Target is used by one thread at a time; Deliver blocks until the
// text is there, or is given up at a deadline, and never needs another target to make progress.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::output {

struct Delivery {
  /// The utterance's id in the spool: the same at every attempt, never used for another text.
  std::uint64_t id = 0;
  std::string text;  // UTF-8; a new line is \n
  /// An earlier attempt may have succeeded and then been forgotten by a crash.
  bool repeated = false;
};

class Target {
 public:
  virtual ~Target() = default;

  /// For a person: "typing", "file /home/me/notes.txt".
  virtual std::string name() const = 0;

  /// True when success of Deliver means that the text is there (stdout, file, command). False when
  /// it only means that no error was reported: a keyboard and a clipboard give no answer.
  virtual bool acknowledges() const = 0;

  /// True when a repeated Delivery leaves the text there once, whatever became of earlier attempts.
  /// Where it is false, a text that may have arrived is offered to the user instead.
  virtual bool repeatable() const = 0;

  /// The Error says what did not work and what to install or do; the caller keeps the text.
  /// kBusy: not now (the session is locked); try again later. kTimeout: part of it may be there.
  virtual Result<> Deliver(const Delivery& delivery) = 0;

  /// Takes the text of the last Deliver back, which must have succeeded and is not long ago.
  /// kUnsupported where that cannot be done.
  virtual Result<> TakeBack() {
    return Fail(Errc::kUnsupported, "{}: what is there cannot be taken back", name());
  }
};

enum class TargetKind { kType, kClipboard, kStdout, kFile, kCommand };
inline constexpr std::array kTargetKinds = {TargetKind::kType, TargetKind::kClipboard,
                                            TargetKind::kStdout, TargetKind::kFile,
                                            TargetKind::kCommand};
std::string_view Name(TargetKind kind);  // "type", "clipboard", …
Result<TargetKind> ParseTargetKind(std::string_view text);

/// What becomes of a new line in the text.
enum class Newlines {
  kKeep,        // typed as Enter
  kSpace,       // a space
  kShiftEnter,  // typing only: a new line in most chat windows, which send on Enter
};

/// The programs that can type; "paste" uses the clipboard.
inline constexpr std::array<std::string_view, 4> kInjectors = {"wtype", "xdotool", "ydotool",
                                                               "paste"};

struct TypingOptions {
  /// Of kInjectors, in order of preference. Empty: what suits the session, see docs/desktop.md.
  std::vector<std::string> injectors = {};
  /// What pastes: Insert or v with shift, ctrl, alt or super. Shift+Insert is what terminals and
  /// other windows have in common.
  std::string paste_key = "shift+Insert";
  /// Between connecting to the compositor and the first key, which would else be lost.
  Milliseconds settle{120};
  Milliseconds key_delay{0};  // between keys; 0: the shortest that is exact
  /// Pasting: how long the other program may take to fetch the text before the clipboard gets back
  /// what it had. 0: it does not get it back.
  Milliseconds restore_after{400};
};

struct TargetOptions {
  TargetKind kind = TargetKind::kStdout;
  std::filesystem::path path = {};        // kFile: made with mode 0600 when it is not there
  std::filesystem::path state = {};       // kFile: folder of its ledger; empty: under StateDir()
  std::vector<std::string> command = {};  // kCommand: program and arguments
  /// Default: kSpace for file and typing, else kKeep.
  std::optional<Newlines> newlines = {};
  /// Put behind each text. Default: a new line for stdout and file, a space for typing, else "".
  std::optional<std::string> after = {};
  /// For one Delivery; typing gets more time for long texts.
  Milliseconds deadline{10'000};
  TypingOptions typing = {};
  /// kType: asked before each Delivery; true refuses it with kBusy. Null: never locked.
  std::function<bool()> locked = {};
};

/// kInvalid, naming the missing configuration key, when the target lacks an option that it needs.
Result<> Check(const TargetOptions& options);

/// kInvalid for invalid options. Looks at nothing outside until Deliver.
Result<std::unique_ptr<Target>> MakeTarget(const TargetOptions& options);

}  // namespace headroom::output
