#include "asr/planner/worker_devices.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::planner {
namespace {

using nlohmann::json;

constexpr std::size_t kMostAnswer = 256u << 10;
constexpr std::size_t kMostDevices = 64;

// Reads both pipes until both are closed.
Result<> ReadBoth(std::array<std::pair<int, std::string*>, 2> from, MonoTime deadline) {
  while (from[0].first >= 0 || from[1].first >= 0) {
    std::array<pollfd, 2> watched{};
    for (std::size_t i = 0; i < 2; ++i)
      watched[i] = {.fd = from[i].first, .events = POLLIN, .revents = 0};
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().Now());
    const auto wait = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    const int n = ::poll(watched.data(), watched.size(), wait);
    if (n < 0 && errno != EINTR) return FailErrno(errno, "poll");
    if (n == 0) return Fail(Errc::kTimeout, "no answer in time; the driver may hang");
    for (std::size_t i = 0; i < 2 && n > 0; ++i) {
      if (watched[i].revents == 0) continue;
      std::array<char, 4096> block;
      const ssize_t got = ::read(from[i].first, block.data(), block.size());
      if (got <= 0) from[i].first = -1;
      if (got > 0 && from[i].second->size() < kMostAnswer)
        from[i].second->append(block.data(), static_cast<std::size_t>(got));
    }
  }
  return {};
}

std::string LastLine(const std::string& text) {
  const std::string words(Trim(Printable(text)));
  const std::size_t line = words.rfind('\n');
  return words.substr(line == std::string::npos ? 0 : line + 1);
}

bool ReadDevice(const json& item, WorkerDevice& device) {
  const auto text = [&](const char* key, std::string& into) {
    const auto found = item.find(key);
    if (found == item.end() || !found->is_string()) return false;
    into = Printable(found->get<std::string>());
    return into.size() <= 200;
  };
  if (!item.is_object() || !text("name", device.name) || device.name.empty() ||
      !text("description", device.description) || !text("pci", device.pci))
    return false;
  const auto unified = item.find("unified"), total = item.find("total");
  if (unified == item.end() || !unified->is_boolean()) return false;
  if (total == item.end() || !total->is_number_unsigned() || *total > (std::uint64_t{1} << 50))
    return false;
  device.unified = unified->get<bool>();
  device.total = Bytes(total->get<std::int64_t>());
  return true;
}

}  // namespace

Result<std::vector<WorkerDevice>> ParseDevices(std::string_view text) {
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array() || list.size() > kMostDevices)
    return Fail(Errc::kProtocol, "not a list of devices");
  std::vector<WorkerDevice> devices;
  for (const json& item : list) {
    WorkerDevice device;
    if (!ReadDevice(item, device)) return Fail(Errc::kProtocol, "a malformed device");
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<std::vector<WorkerDevice>> AskDevices(const std::string& program, Milliseconds within) {
  TRY_ASSIGN(const std::string answer, AskWorker(program, {"--devices"}, within));
  return ParseDevices(answer);
}

Result<std::string> AskWorker(const std::string& program, std::vector<std::string> arguments,
                              Milliseconds within) {
  TRY_ASSIGN(const auto path, FindProgram(program));
  arguments.insert(arguments.begin(), path.native());
  TRY_ASSIGN(Pipe out, MakePipe());
  TRY_ASSIGN(Pipe err, MakePipe());
  const MonoTime deadline = SystemClock().Now() + within;
  TRY_ASSIGN(
      Child child,
      Child::Spawn({.argv = std::move(arguments),
                    .fds = {{STDOUT_FILENO, out.write.get()}, {STDERR_FILENO, err.write.get()}},
                    .environment = {}}));
  out.write.Reset();
  err.write.Reset();
  std::string answer, words;
  if (auto read = ReadBoth({{{out.read.get(), &answer}, {err.read.get(), &words}}}, deadline);
      !read)
    return Within(read, "{}", program);
  TRY_ASSIGN(const auto exit, child.WaitUntil(deadline));
  if (!exit) return Fail(Errc::kTimeout, "{}: no answer in time; the driver may hang", program);
  if (!exit->ok()) {
    const std::string last = LastLine(words);
    return Fail(Errc::kWorkerLost, "{} {}{}{}", program, Describe(*exit), last.empty() ? "" : ": ",
                last);
  }
  return answer;
}

}  // namespace headroom::planner
