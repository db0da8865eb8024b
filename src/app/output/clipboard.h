// The session's clipboard and its primary selection, through wl-clipboard, xclip or xsel.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/output/session.h"
#include "base/error.h"

namespace headroom::output {

enum class Selection { kClipboard, kPrimary };

struct Clip {
  std::string type;  // as the session calls it; "" for text
  std::string bytes;
  friend bool operator==(const Clip&, const Clip&) = default;
};

class Clipboard {
 public:
  /// kNotFound says what to install.
  static Result<Clipboard> Of(const Session& session);

  /// What is there, as text where it is text, else in the first form offered; nullopt when there is
  /// nothing, or nothing that can be had.
  Result<std::optional<Clip>> Read(Selection selection) const;
  Result<> Write(Selection selection, const Clip& clip) const;
  Result<> Clear(Selection selection) const;

 private:
  enum class Program { kWlClipboard, kXclip, kXsel };
  Clipboard(Program program, const Session& session) : program_(program), session_(session) {}
  Result<std::vector<std::string>> Types(Selection selection) const;
  std::vector<std::string> Command(bool write, Selection selection, const std::string& type) const;

  Program program_;
  Session session_;
};

}  // namespace headroom::output
