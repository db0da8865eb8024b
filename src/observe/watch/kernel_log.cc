#include "observe/watch/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "observe/probe/kernel_text.h"

namespace headroom::watch {
namespace {

using record::Event;
using record::EventKind;
using record::Key;

// The digits at the front of `text`.
std::optional<std::int64_t> LeadingNumber(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  return probe::ParseNumber(text.substr(0, end));
}

std::optional<std::string_view> Behind(std::string_view text, std::string_view what) {
  const auto at = text.find(what);
  if (at == std::string_view::npos) return std::nullopt;
  return text.substr(at + what.size());
}

}  // namespace

std::optional<Event> ParseKernelLine(std::string_view message) {
  const auto kernel = [](std::string_view what) {
    return Event{EventKind::kKernel, {}, {}}.With(Key::kClass, what);
  };
  // "Out of memory: Killed process 4711 (python3) total-vm:…", "Memory cgroup out of memory: …"
  if (message.contains("ut of memory")) {
    const auto process = Behind(message, "Killed process ");
    if (!process) return std::nullopt;
    Event event = kernel("oom_kill");
    if (const auto pid = LeadingNumber(*process)) event.With(Key::kPid, *pid);
    const auto open = process->find('('), close = process->find(')');
    if (open != std::string_view::npos && close != std::string_view::npos && open < close)
      event.With(Key::kName, process->substr(open + 1, close - open - 1));
    if (message.starts_with("Memory cgroup")) event.With(Key::kSource, "cgroup");
    return event;
  }
  // "NVRM: Xid (PCI:0000:01:00): 79, pid=…, GPU has fallen off the bus."
  if (const auto xid = Behind(message, "NVRM: Xid (")) {
    Event event = kernel("xid");
    event.With(Key::kGpu, Behind(xid->substr(0, xid->find(')')), "PCI:").value_or(""));
    if (const auto rest = Behind(*xid, "): ")) {
      if (const auto code = LeadingNumber(*rest)) event.With(Key::kCode, *code);
    }
    if (const auto pid = Behind(*xid, "pid=")) {
      if (const auto number = LeadingNumber(*pid)) event.With(Key::kPid, *number);
    }
    return event;
  }
  if (message.contains("amdgpu") && message.contains("GPU reset begin")) {
    Event event = kernel("amdgpu_reset");
    if (const auto gpu = Behind(message, "amdgpu ")) event.With(Key::kGpu, gpu->substr(0, 12));
    return event;
  }
  if (message.starts_with("PM: suspend entry") ||
      message.starts_with("PM: hibernation: hibernation entry"))
    return Event{EventKind::kSuspend, {}, {}}.With(Key::kSource, "kernel");
  if (message.starts_with("PM: suspend exit") ||
      message.starts_with("PM: hibernation: hibernation exit"))
    return Event{EventKind::kResume, {}, {}}.With(Key::kSource, "kernel");
  return std::nullopt;
}

std::string_view KmsgMessage(std::string_view record) {
  const auto semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return {};
  const std::string_view rest = record.substr(semicolon + 1);
  return rest.substr(0, rest.find('\n'));
}

KernelLog::KernelLog(const std::string& path) {
  Result<Fd> fd = Open(path, O_RDONLY | O_NONBLOCK);
  if (!fd || ::lseek(fd->get(), 0, SEEK_END) < 0) return;
  fd_ = std::move(*fd);
}

std::vector<Event> KernelLog::Read(record::Moment at) {
  std::vector<Event> events;
  std::array<char, 8192> buffer;  // a record is at most 8 KiB, and one read gives one record
  for (int lines = 0; fd_ && lines < 1000; ++lines) {
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EPIPE)) continue;  // EPIPE: lines were overwritten
    if (n <= 0) break;
    auto event =
        ParseKernelLine(KmsgMessage(std::string_view(buffer.data(), static_cast<std::size_t>(n))));
    if (!event) continue;
    event->at = at;
    events.push_back(std::move(*event));
  }
  return events;
}

}  // namespace headroom::watch
