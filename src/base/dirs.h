// Where things live: the XDG base directories (freedesktop.org "XDG Base Directory Specification")
// and this installation's own programs and data. Nothing here creates a directory.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace headroom {

/// The variable's value, or "" when unset.
std::string Environment(const char* name);

std::filesystem::path CacheDir();   // $XDG_CACHE_HOME/headroom: may be deleted at any time
std::filesystem::path DataDir();    // $XDG_DATA_HOME/headroom: models
std::filesystem::path ConfigDir();  // $XDG_CONFIG_HOME/headroom
std::filesystem::path StateDir();   // $XDG_STATE_HOME/headroom
/// $XDG_RUNTIME_DIR/headroom: sockets. Without that variable /run/user/UID/headroom where it is,
/// else /tmp/headroom-UID.
std::filesystem::path RuntimeDir();

/// A program of this installation, e.g. "headroom-worker-cpu": looked for in $HEADROOM_LIBEXEC,
/// then beside the running program, then in ../libexec/headroom. kNotFound says where it looked.
Result<std::filesystem::path> FindProgram(const std::string& name);

/// A data file of this installation, e.g. "catalogue.toml": $HEADROOM_SHARE, then
/// ../share/headroom beside the running program, then ../../share/headroom (from libexec/headroom).
Result<std::filesystem::path> FindShared(const std::string& name);

}  // namespace headroom
