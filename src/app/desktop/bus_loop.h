// A D-Bus connection on its own thread, which reconnects whenever it is lost: the bus may start
// after this program, and restart meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mutex.h"

struct sd_bus;
struct sd_bus_message;
struct sd_bus_slot;

namespace headroom::desktop {

enum class Bus { kSystem, kSession };

class BusLoop {
 public:
  struct Events {
    /// Sets up a new connection. After an error the loop closes it and tries again.
    std::function<Result<>(sd_bus*)> on_connected;
    /// The connection and everything that belonged to it is gone.
    std::function<void(const Error&)> on_lost;
  };

  /// `name`: of the thread. Events and tasks run on it.
  BusLoop(Bus bus, std::string name, Events events, Milliseconds again = Milliseconds(5000));
  ~BusLoop();  // ends the connection and the thread
  BusLoop(const BusLoop&) = delete;
  BusLoop& operator=(const BusLoop&) = delete;

  /// Runs `task` on the loop's thread, or drops it while there is no connection. Any thread.
  void Post(std::function<void(sd_bus*)> task);

 private:
  void Run();
  Error Serve(sd_bus* bus);
  void RunTasks(sd_bus* bus);
  void Wait(int bus_fd, short bus_events, int timeout_ms) const;

  const Bus bus_;
  const std::string name_;
  const Events events_;
  const Milliseconds again_;
  Fd wake_;  // eventfd
  std::atomic<bool> stop_{false};
  Mutex mutex_;
  std::vector<std::function<void(sd_bus*)>> tasks_ GUARDED_BY(mutex_);
  std::thread thread_;
};

/// A match rule for the start and end of the service `name`, and whether such a signal reports a
/// start.
std::string OwnerChanges(const std::string& name);
bool HasOwner(sd_bus_message* message);

/// A value that sd-bus counts references of.
template <class T, T* (*unref)(T*)>
class Reference {
 public:
  Reference() = default;
  explicit Reference(T* value) : value_(value) {}
  Reference(Reference&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.value_, nullptr));
    return *this;
  }
  ~Reference() { Reset(); }
  T* get() const { return value_; }
  /// For functions that give one back through a pointer.
  T** out() {
    Reset();
    return &value_;
  }
  void Reset(T* value = nullptr) {
    if (value_) unref(value_);
    value_ = value;
  }
  explicit operator bool() const { return value_ != nullptr; }

 private:
  T* value_ = nullptr;
};

}  // namespace headroom::desktop
