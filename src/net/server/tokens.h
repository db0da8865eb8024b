// The tokens that clients on the network show, one for each client. The file holds their hashes
// only; docs/api.md describes it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::net {

struct ClientToken {
  std::string name;   // of the client: a-z A-Z 0-9 . _ -
  std::string hash;   // SHA-256 of the token, 64 hex digits
  std::string since;  // "2026-05-01"
};

/// tokens in $XDG_CONFIG_HOME/headroom.
std::filesystem::path TokenFilePath();

/// Empty lines and lines with # are skipped; kCorrupt names any other that is not understood.
Result<std::vector<ClientToken>> ParseTokens(std::string_view text);
/// kNotFound: there is no such file. kPermission: others may read it.
Result<std::vector<ClientToken>> ReadTokens(const std::filesystem::path& path);

/// Makes a token of 256 random bits and returns it, the only time that it is seen. kExists: that
/// client has one. kInvalid: not a name.
Result<std::string> AddToken(const std::filesystem::path& path, const std::string& name,
                             WallTime now);
/// kNotFound: no such client. The file stays, also when it was the last: then no client gets in.
Result<> RevokeToken(const std::filesystem::path& path, const std::string& name);

/// Decides by the file as it is now: a revoked token stops working with the next question. One
/// thread, which reads the file when it has changed.
class TokenGate {
 public:
  /// `always`: without a file no client gets in; else every client. An empty path is no file.
  TokenGate(std::filesystem::path path, bool always) : path_(std::move(path)), always_(always) {}

  /// The client's name, "" when no token is needed; kPermission when it does not get in. Takes as
  /// long whichever token is compared.
  Result<std::string> Admit(std::string_view token);
  /// Whether that client would still get in.
  bool Knows(const std::string& name);

 private:
  struct Version {
    std::int64_t device = -1, inode = -1, size = -1, changed_ns = -1;
    bool operator==(const Version&) const = default;
  };
  void Refresh();

  const std::filesystem::path path_;
  const bool always_;
  Version version_;
  std::optional<std::vector<ClientToken>> known_;  // nullopt: there is no file
  bool unreadable_ = false;                        // there is a file that cannot be used
};

}  // namespace headroom::net
