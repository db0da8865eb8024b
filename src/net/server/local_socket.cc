#include "net/server/local_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/dirs.h"

namespace headroom::net {

namespace fs = std::filesystem;

namespace {

Result<sockaddr_un> Address(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof(address.sun_path))
    return Fail(Errc::kInvalid, "{}: too long for a socket, at most {} bytes", text,
                sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

Result<> CheckFolder(const fs::path& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return FailErrno(errno, "{}", folder.string());
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    return Fail(Errc::kPermission,
                "{} belongs to another user; set control.socket to a folder of "
                "yours",
                folder.string());
  const bool sticky = (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky)
    return Fail(Errc::kPermission, "{} may be written to by others; chmod go-w it",
                folder.string());
  return {};
}

std::unexpected<Error> AlreadyRunning(const fs::path& path) {
  if (const auto listener = ListenerAt(path))
    return Fail(Errc::kBusy, "already running, pid {} (it listens on {})", listener->pid,
                path.string());
  return Fail(Errc::kBusy, "already running (another process holds {}.lock)", path.string());
}

}  // namespace

Result<LocalSocket> LocalSocket::Listen(const fs::path& path, int backlog) {
  TRY_ASSIGN(const sockaddr_un address, Address(path));
  TRY(MakeDirectories(path.parent_path()));
  TRY(CheckFolder(path.parent_path()));
  Result<FileLock> lock = FileLock::Try(path.native() + ".lock");
  if (!lock) {
    if (lock.error().code == Errc::kBusy) return AlreadyRunning(path);
    return Within(lock, "control socket");
  }
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return Fail(Errc::kExists,
                  "{} is there already and is no socket; remove it or set "
                  "control.socket",
                  path.string());
    if (ListenerAt(path)) return AlreadyRunning(path);
    if (::unlink(path.c_str()) != 0) return FailErrno(errno, "remove stale {}", path.string());
  }
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return FailErrno(errno, "make a socket");
  // Linux gives the file the mode of the descriptor, so it is never open to others.
  if (::fchmod(fd.get(), 0600) != 0) return FailErrno(errno, "{}", path.string());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return FailErrno(errno, "bind {}", path.string());
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), backlog) != 0)
    return FailErrno(errno, "listen on {}", path.string());
  return LocalSocket(path, std::move(*lock), std::move(fd));
}

LocalSocket::~LocalSocket() {
  if (fd_) ::unlink(path_.c_str());
}

Result<Peer> PeerOf(int fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return FailErrno(errno, "ask who is connected");
  return Peer{credentials.uid, credentials.pid};
}

Result<Fd> OpenOfPeer(const Peer& peer, int fd) {
  auto opened = Open(fmt::format("/proc/{}/fd/{}", peer.pid, fd), O_RDONLY | O_NONBLOCK);
  if (!opened && opened.error().code == Errc::kNotFound)
    return Fail(Errc::kInvalid, "process {} has no file descriptor {}", peer.pid, fd);
  return opened;
}

bool MayConnect(uid_t uid) {
  return uid == ::geteuid() || uid == 0;
}

std::optional<Peer> ListenerAt(const fs::path& path) {
  const auto address = Address(path);
  if (!address) return std::nullopt;
  // Non-blocking: a listener whose queue is full is still a listener.
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return std::nullopt;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
    return errno == EAGAIN ? std::optional(Peer{}) : std::nullopt;
  const auto peer = PeerOf(fd.get());
  return peer ? std::optional(*peer) : std::nullopt;
}

fs::path ControlSocketPath(const fs::path& configured) {
  return configured.empty() ? RuntimeDir() / "control.sock" : configured;
}

}  // namespace headroom::net
