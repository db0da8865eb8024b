// A listening Unix socket that belongs to one user and one process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

namespace headroom::net {

class LocalSocket {
 public:
  /// Makes the folder (0700) and the socket (0600), and listens, non-blocking. A lock file beside
  /// it is held for as long as the object lives, so two can never serve one path. What a dead
  /// process left is replaced. kBusy when a process listens ("already running, pid N"); kPermission
  /// when the folder is another user's or others may write to it; kExists when the path is no
  /// socket.
  static Result<LocalSocket> Listen(const std::filesystem::path& path, int backlog = 4096);

  LocalSocket(LocalSocket&& other) noexcept = default;
  LocalSocket& operator=(LocalSocket&&) = delete;
  ~LocalSocket();  // removes the socket

  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  LocalSocket(std::filesystem::path path, FileLock lock, Fd fd)
      : path_(std::move(path)), lock_(std::move(lock)), fd_(std::move(fd)) {}

  std::filesystem::path path_;
  FileLock lock_;
  Fd fd_;  // empty when moved from
};

struct Peer {
  uid_t uid = 0;
  pid_t pid = 0;
};
/// Who is at the other end (SO_PEERCRED).
Result<Peer> PeerOf(int fd);

/// Opens, for reading, what another process has open as its descriptor `fd`.
Result<Fd> OpenOfPeer(const Peer& peer, int fd);

/// Whether a process of that user may use our sockets: our own user, or root.
bool MayConnect(uid_t uid);

/// The process that listens at `path`; nullopt when none does.
std::optional<Peer> ListenerAt(const std::filesystem::path& path);

/// `configured`, or control.sock in base/dirs' RuntimeDir().
std::filesystem::path ControlSocketPath(const std::filesystem::path& configured = {});

}  // namespace headroom::net
