#include "net/server/connection_server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <new>
#include <system_error>

#include "base/clock.h"

namespace headroom::net {
namespace {

constexpr Milliseconds kFarewell{500};     // for what is on its way when the server ends
constexpr Milliseconds kAcceptAgain{200};  // after running out of descriptors or memory

}  // namespace

// ---- permits ----

ConnectionServer::Permit::Permit(ConnectionServer& connections) : connections_(connections) {
  ++connections.permits_;
  connections.counters_.Count([&](ConnectionCounters& c) { c.open = connections.permits_; });
}

ConnectionServer::Permit::~Permit() {
  --connections_.permits_;
  connections_.counters_.Count([&](ConnectionCounters& c) { c.open = connections_.permits_; });
  connections_.OnGone();
}

ConnectionServer::Connection::Connection(ConnectionServer& connections)
    : connections_(connections), permit_(connections) {
  connections.connections_.insert(this);
  connections.counters_.Count([](ConnectionCounters& c) { ++c.connections; });
}

ConnectionServer::Connection::~Connection() {
  connections_.connections_.erase(this);
}

void ConnectionServer::Release() {
  --held_;
  OnGone();
}

void ConnectionServer::OnGone() {
  if (running_ && ending_ && permits_ == 0 && held_ == 0) farewell_.cancel();
}

// ---- the thread ----

ConnectionServer::ConnectionServer(Owner& owner, std::size_t most_connections)
    : owner_(owner), most_(most_connections) {}

Result<> ConnectionServer::Begin(Fd socket, std::string name) {
  BoostError failed;
  static_cast<void>(socket_.assign(socket.get(), failed));
  if (failed) return Fail(Errc::kIo, "{}", failed.message());
  socket.Release();
  name_ = std::move(name);
  Wait();
  // Signals are for the process's own thread.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  running_ = true;
  std::optional<std::string> failure;
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    failure = error.what();
    running_ = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failure) return Fail(Errc::kNoMemory, "{}", *failure);
  return {};
}

void ConnectionServer::Run() {
  ::pthread_setname_np(::pthread_self(), name_.c_str());
  for (;;) {
    try {
      if (!waiting_ && !ending_) AcceptLater();
      io_.run();
      return;
    } catch (const std::bad_alloc&) {
      // The one connection is lost; the others go on, and so does accepting.
    }
  }
}

void ConnectionServer::End() {
  asio::post(io_, [this] { EndAll(); });
  thread_.join();
  running_ = false;
  // Those that did not take the last words in time.
  for (Connection* connection : connections()) connection->Close();
}

void ConnectionServer::EndAll() {
  ending_ = true;
  BoostError none;
  static_cast<void>(socket_.close(none));
  accept_again_.cancel();
  for (Connection* connection : connections()) connection->End();
  owner_.OnEnd();
  if (permits_ == 0 && held_ == 0) return;
  farewell_.expires_after(kFarewell);
  farewell_.async_wait([this](const BoostError& cancelled) {
    if (!cancelled) io_.stop();
  });
}

// ---- accepting ----

void ConnectionServer::Wait() {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const BoostError&) {
    waiting_ = false;
    if (!ending_) AcceptOne();
  });
  waiting_ = true;
}

void ConnectionServer::AcceptOne() {
  Fd peer(::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
    // Out of descriptors or memory: the connections that are open go on.
    MakeRoom();
    return AcceptLater();
  }
  if (peer) Admit(std::move(peer));
  Wait();
}

void ConnectionServer::AcceptLater() {
  accept_again_.expires_after(kAcceptAgain);
  accept_again_.async_wait([this](const BoostError&) {
    waiting_ = false;
    if (!ending_) AcceptOne();
  });
  waiting_ = true;
}

void ConnectionServer::Admit(Fd peer) {
  if (!owner_.MayConnect(peer.get()))
    return counters_.Count([](ConnectionCounters& c) { ++c.refused_peers; });
  if (permits_ >= most_ && !MakeRoom())
    return counters_.Count([](ConnectionCounters& c) { ++c.refused_full; });
  owner_.Serve(std::move(peer));
}

bool ConnectionServer::MakeRoom() {
  Connection* oldest = nullptr;
  for (Connection* connection : connections_) {
    if (connection->idle() && (!oldest || connection->age_ < oldest->age_)) oldest = connection;
  }
  if (!oldest) return owner_.MakeRoom();
  counters_.Count([](ConnectionCounters& c) { ++c.evicted_idle; });
  oldest->Close();
  return true;
}

}  // namespace headroom::net
