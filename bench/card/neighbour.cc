#include "neighbour.h"

#include <unistd.h>

#include <algorithm>

namespace headroom {
namespace {

constexpr Milliseconds kReadWithin{5'000}, kLook{10};

}  // namespace

std::optional<GpuNow> GpuReader::Read(pid_t process) {
  const MonoTime end = SystemClock().Now() + kReadWithin;
  while (!pci_.empty() && SystemClock().Now() < end) {
    const auto report = probe_.Ask(std::span(&process, process < 0 ? 0 : 1), false);
    if (report.state != probe::ProbeState::kFresh) {
      std::this_thread::sleep_for(kLook);
      continue;
    }
    const auto found = std::ranges::find(report.devices, pci_, &probe::Device::pci);
    if (found == report.devices.end() || !found->used || !found->total) return std::nullopt;
    GpuNow now{
        .name = found->name, .driver = found->driver, .total = *found->total, .used = *found->used};
    for (const probe::DeviceUse& use : found->processes)
      if (use.pid == process) now.own = use.used;
    return now;
  }
  return std::nullopt;
}

Watch::Watch(GpuReader& reader, pid_t process)
    : thread_([this, &reader, process](const std::stop_token& stop) {
        do {
          const auto now = reader.Read(process);
          if (now && (!most_ || now->own.value_or(now->used) > most_->own.value_or(most_->used)))
            most_ = now;
          std::this_thread::sleep_for(kLook);
        } while (!stop.stop_requested());
      }) {}

std::optional<GpuNow> Watch::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  return most_;
}

Result<Neighbour> Neighbour::Make(const std::string& program, const std::string& backend,
                                  const std::string& gpu) {
  TRY_ASSIGN(Pipe to, MakePipe());
  TRY_ASSIGN(Pipe from, MakePipe());
  TRY_ASSIGN(Child child, Child::Spawn({.argv = {program, backend, gpu},
                                        .fds = {{0, to.read.get()}, {1, from.write.get()}},
                                        .environment = {}}));
  to.read = Fd(), from.write = Fd();  // so that its end is seen
  Neighbour neighbour(std::move(child));
  neighbour.in_ = std::move(to.write);
  neighbour.out_ = std::move(from.read);
  TRY(neighbour.Hear());
  return neighbour;
}

Result<> Neighbour::Tell(const char* kind, Bytes bytes) {
  TRY(WriteAll(in_.get(), fmt::format("{} {}\n", kind, bytes.n >> 20)));
  return Hear();
}

Result<> Neighbour::Hear() {
  std::string line;
  char letter = 0;
  while (true) {
    if (::read(out_.get(), &letter, 1) != 1) return Fail(Errc::kIo, "the neighbour has ended");
    if (letter == '\n') break;
    line += letter;
  }
  long long held = 0, free = 0, total = 0;
  if (std::sscanf(line.c_str(), "held %lld free %lld total %lld", &held, &free, &total) != 3)
    return Fail(Errc::kProtocol, "the neighbour said {}", line);
  held_ = Bytes(held);
  free_ = Bytes(free);
  return {};
}

}  // namespace headroom
