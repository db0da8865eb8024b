// Errors as values. Every function of ours that can fail returns Result<T>; nothing of ours throws.
// Adapters catch a library's exceptions at once and turn them into an Error.
//
// Error::what is one line for a person: what happened, to which thing, and where it helps what to
// do next. Context is put in front on the way up: "load config: /x: no such file".
#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace headroom {

enum class Errc {
  kInvalid,      // the caller's argument or the user's input makes no sense
  kNotFound,     // file, model, program: not there
  kExists,       // refuses to overwrite
  kPermission,   // the OS says no, or a read-only place
  kCorrupt,      // bytes that are not what they claim to be: truncated, wrong magic, absurd counts
  kChecksum,     // whole, but not the file that was promised
  kUnsupported,  // understood, and not something this program, model or engine can do
  kIo,           // read or write failed
  kNoSpace,      // disk full
  kNoMemory,     // host or device memory
  kNetwork,      // no answer, refused, or an HTTP error
  kTimeout,      // a deadline passed
  kCancelled,    // a caller asked for it to stop
  kProtocol,     // the other process spoke nonsense or another version
  kWorkerLost,   // the other process died or was killed
  kBusy,         // in use by another
  kInternal,     // a bug that was caught
};

/// The enumerator's stable lower-case name, e.g. "not_found"; used in JSON and in tests.
std::string_view Name(Errc code);

/// The inverse of Name; kInternal for a name it does not know.
Errc ErrcFromName(std::string_view name);

struct Error {
  Errc code = Errc::kInternal;
  std::string what;

  /// The same error with `context` and ": " in front.
  Error Within(std::string_view context) &&;
};

/// The error for an errno value, e.g. Errno(ENOENT, "open /x") -> {kNotFound, "open /x: No such
/// file…"}.
Error Errno(int err, std::string_view context);

template <class T = void>
struct [[nodiscard]] Result : std::expected<T, Error> {
  using std::expected<T, Error>::expected;
};

/// return Fail(Errc::kNotFound, "{}: no such model", name);
template <class... Args>
std::unexpected<Error> Fail(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}
inline std::unexpected<Error> Fail(Error error) {
  return std::unexpected(std::move(error));
}

/// return FailErrno(errno, "open {}", path);
template <class... Args>
std::unexpected<Error> FailErrno(int err, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Errno(err, fmt::format(format, std::forward<Args>(args)...)));
}

/// Pass an error up with context in front: return Within(result, "load {}", path);
template <class T, class... Args>
std::unexpected<Error> Within(Result<T>& failed, fmt::format_string<Args...> format,
                              Args&&... args) {
  return std::unexpected(
      std::move(failed.error()).Within(fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace headroom

#define HEADROOM_CONCAT_(a, b) a##b
#define HEADROOM_CONCAT(a, b) HEADROOM_CONCAT_(a, b)

/// TRY(WriteAll(fd, bytes)); returns the error from the enclosing function.
#define TRY(expression)                                                                      \
  if (auto HEADROOM_CONCAT(try_, __LINE__) = (expression); !HEADROOM_CONCAT(try_, __LINE__)) \
  return std::unexpected(std::move(HEADROOM_CONCAT(try_, __LINE__)).error())

/// TRY_ASSIGN(auto text, ReadFile(path)); declares or assigns on success, else returns the error.
#define TRY_ASSIGN(target, expression)                                          \
  auto HEADROOM_CONCAT(try_, __LINE__) = (expression);                          \
  if (!HEADROOM_CONCAT(try_, __LINE__))                                         \
    return std::unexpected(std::move(HEADROOM_CONCAT(try_, __LINE__)).error()); \
  target = std::move(HEADROOM_CONCAT(try_, __LINE__)).value()
