#include "base/dirs.h"

#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace headroom {

namespace fs = std::filesystem;

namespace {

// The specification says that a relative path in these variables is to be ignored.
fs::path Xdg(const char* variable, const char* under_home) {
  const fs::path set = Environment(variable);
  if (set.is_absolute()) return set / "headroom";
  const fs::path home = Environment("HOME");
  return (home.empty() ? fs::path("/tmp") : home) / under_home / "headroom";
}

fs::path OwnFolder() {
  std::error_code none;
  const fs::path self = fs::read_symlink("/proc/self/exe", none);
  return none ? fs::path() : self.parent_path();
}

Result<fs::path> FindIn(const std::vector<fs::path>& folders, const std::string& name, int access) {
  std::string looked;
  for (const fs::path& folder : folders) {
    if (folder.empty()) continue;
    const fs::path candidate = folder / name;
    if (::access(candidate.c_str(), access) == 0) return candidate.lexically_normal();
    looked += (looked.empty() ? "" : ", ") + folder.lexically_normal().string();
  }
  return Fail(Errc::kNotFound, "{} is missing from this installation; looked in {}", name, looked);
}

}  // namespace

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path CacheDir() {
  return Xdg("XDG_CACHE_HOME", ".cache");
}
fs::path DataDir() {
  return Xdg("XDG_DATA_HOME", ".local/share");
}
fs::path ConfigDir() {
  return Xdg("XDG_CONFIG_HOME", ".config");
}
fs::path StateDir() {
  return Xdg("XDG_STATE_HOME", ".local/state");
}

fs::path RuntimeDir() {
  const fs::path set = Environment("XDG_RUNTIME_DIR");
  if (set.is_absolute()) return set / "headroom";
  const fs::path of_user = fs::path("/run/user") / std::to_string(::geteuid());
  std::error_code none;
  if (fs::is_directory(of_user, none)) return of_user / "headroom";
  return fmt::format("/tmp/headroom-{}", ::geteuid());
}

Result<fs::path> FindProgram(const std::string& name) {
  const fs::path own = OwnFolder();
  return FindIn({Environment("HEADROOM_LIBEXEC"), own, own / "../libexec/headroom"}, name, X_OK);
}

Result<fs::path> FindShared(const std::string& name) {
  const fs::path own = OwnFolder();
  return FindIn(
      {Environment("HEADROOM_SHARE"), own / "../share/headroom", own / "../../share/headroom"},
      name, R_OK);
}

}  // namespace headroom
