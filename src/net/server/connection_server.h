// What the servers have in common: a socket that listens, one thread on which everything happens, a
// bounded number of connections, room for a new one at the cost of one that is idle, and an end
// that lets go out what is on its way. Only for files that speak Asio.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/server/counters.h"

namespace headroom::net {

namespace asio = boost::asio;
using BoostError = boost::system::error_code;

/// A member of the server behind everything that its connections touch in their destructors: the
/// handlers of `io` own them, and are destroyed with it. Before it is destroyed: End().
class ConnectionServer {
 public:
  /// The server. Every call comes on the server's thread.
  class Owner {
   public:
    virtual bool MayConnect(int peer) = 0;
    /// It may stay: make a Connection, or drop it.
    virtual void Serve(Fd peer) = 0;
    /// No connection is idle. Whether something else has given up its permit.
    virtual bool MakeRoom() { return false; }
    /// Nothing new comes, and every connection is about to end.
    virtual void OnEnd() = 0;

   protected:
    ~Owner() = default;
  };

  /// Counts among the connections, for as long as it lives. On the server's thread.
  class Permit {
   public:
    explicit Permit(ConnectionServer& connections);
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit();

   private:
    ConnectionServer& connections_;
  };

  /// One connection, kept alive by its handlers. A destructor of what is derived calls Close().
  class Connection {
   public:
    explicit Connection(ConnectionServer& connections);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    virtual ~Connection();

    /// Waits for its client to ask for something; may be closed in favour of another.
    virtual bool idle() const = 0;
    /// The server ends: what is on its way may still go out.
    virtual void End() = 0;
    /// May be called twice. Destroys nothing.
    virtual void Close() = 0;

   protected:
    /// The idle connection that said this longest ago is closed first.
    void Touch() { age_ = ++connections_.age_; }

   private:
    friend class ConnectionServer;
    ConnectionServer& connections_;
    std::uint64_t age_ = 0;
    Permit permit_;
  };

  ConnectionServer(Owner& owner, std::size_t most_connections);
  ConnectionServer(const ConnectionServer&) = delete;
  ConnectionServer& operator=(const ConnectionServer&) = delete;

  /// Accepts on a socket that listens and does not block, on a thread of that name. Call once.
  Result<> Begin(Fd socket, std::string name);
  /// Ends every connection, waits for half a second at most, and closes those that are left. After
  /// a Begin that succeeded, once, on any thread but its own.
  void End();

  asio::io_context& io() { return io_; }
  bool ending() const { return ending_; }
  ConnectionCounters counters() const { return counters_.Now(); }
  /// The connections now, each of which is a `Kind`. They may be closed on the way, since their
  /// handlers own them.
  template <class Kind = Connection>
  std::vector<Kind*> connections() const {
    std::vector<Kind*> all;
    for (Connection* connection : connections_) all.push_back(static_cast<Kind*>(connection));
    return all;
  }

  /// Something that is no connection and that End waits for too.
  void Hold() { ++held_; }
  void Release();

 private:
  void Run();
  void Wait();
  void AcceptOne();
  void AcceptLater();
  void Admit(Fd peer);
  bool MakeRoom();
  void EndAll();
  void OnGone();

  Owner& owner_;
  const std::size_t most_;
  std::string name_;
  // These outlive `io_`, whose handlers own the connections.
  Counted<ConnectionCounters> counters_;
  std::set<Connection*> connections_;  // each takes itself out
  std::size_t permits_ = 0, held_ = 0;
  std::uint64_t age_ = 0;  // grows with each Touch
  bool running_ = false;   // the thread; false again once it has been joined
  bool ending_ = false;
  bool waiting_ = false;  // for a connection, or for the time to look for one
  asio::io_context io_{1};
  asio::posix::stream_descriptor socket_{io_};
  asio::steady_timer accept_again_{io_}, farewell_{io_};
  std::thread thread_;
};

/// A descriptor as Asio's socket; nullopt: out of memory or descriptors.
template <class Protocol>
std::optional<typename Protocol::socket> Adopt(asio::io_context& io, Protocol protocol, Fd fd) {
  typename Protocol::socket socket(io);
  BoostError failed;
  static_cast<void>(socket.assign(protocol, fd.get(), failed));
  if (failed) return std::nullopt;
  fd.Release();
  return socket;
}

}  // namespace headroom::net
