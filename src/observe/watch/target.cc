#include "observe/watch/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/child.h"
#include "base/text.h"
#include "observe/probe/cgroup.h"
#include "observe/probe/kernel_text.h"

namespace headroom::watch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargest = 12;  // of the machine
constexpr std::string_view kUnitEnds[] = {".service", ".scope", ".slice"};

std::optional<std::string_view> After(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

// "Key=value" lines of systemctl show.
std::string_view ValueOf(std::string_view text, std::string_view key) {
  std::string_view line;
  while (probe::NextLine(text, line)) {
    if (line.starts_with(key) && line.substr(key.size()).starts_with("="))
      return line.substr(key.size() + 1);
  }
  return {};
}

}  // namespace

Result<Target> ParseTarget(std::string_view text) {
  if (text.empty()) return Target{};
  const auto named = [&](TargetKind kind, std::string_view name) -> Result<Target> {
    if (name.empty()) return Fail(Errc::kInvalid, "{}: nothing is named after the colon", text);
    return Target{kind, std::string(name), 0};
  };
  const auto number = probe::ParseNumber(After(text, "pid:").value_or(text));
  if (number) {
    if (*number < 1 || *number > INT32_MAX)
      return Fail(Errc::kInvalid, "{}: is no process number", text);
    return Target{TargetKind::kPid, std::to_string(*number), static_cast<pid_t>(*number)};
  }
  if (After(text, "pid:")) return Fail(Errc::kInvalid, "{}: is no process number", text);
  if (const auto name = After(text, "name:")) return named(TargetKind::kName, *name);
  if (const auto name = After(text, "unit:")) return named(TargetKind::kUnit, *name);
  if (const auto name = After(text, "container:")) return named(TargetKind::kContainer, *name);
  std::string_view group = After(text, "cgroup:").value_or(text.starts_with('/') ? text : "");
  if (After(text, "cgroup:") || !group.empty()) {
    for (const std::string_view mount : {"/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"}) {
      if (group.starts_with(mount)) group.remove_prefix(mount.size() - 1);
    }
    if (!probe::ParseCgroupPath(fmt::format("0::{}", group)))
      return Fail(Errc::kInvalid,
                  "{}: a control group is named by its path, e.g. "
                  "/system.slice/x.service",
                  text);
    return named(TargetKind::kCgroup, group);
  }
  for (const std::string_view end : kUnitEnds) {
    if (text.ends_with(end)) return named(TargetKind::kUnit, text);
  }
  return named(TargetKind::kName, text);
}

std::string ToText(const Target& target) {
  switch (target.kind) {
    case TargetKind::kPid:
      return "pid:" + target.name;
    case TargetKind::kName:
      return "name:" + target.name;
    case TargetKind::kUnit:
      return "unit:" + target.name;
    case TargetKind::kContainer:
      return "container:" + target.name;
    case TargetKind::kCgroup:
      return "cgroup:" + target.name;
    case TargetKind::kChildren:
      return target.name;
    case TargetKind::kMachine:
      break;
  }
  return "";
}

RunProgram RealPrograms(Milliseconds deadline) {
  return [deadline](const std::vector<std::string>& argv) -> Result<std::string> {
    TRY_ASSIGN(Pipe out, MakePipe());
    TRY_ASSIGN(const Fd nowhere, Open("/dev/null", O_RDWR));
    TRY_ASSIGN(Child child, Child::Spawn({.argv = argv,
                                          .fds = {{1, out.write.get()}, {2, nowhere.get()}},
                                          .environment = {{"LC_ALL", "C"}}}));
    out.write.Reset();
    // The answers are a few lines, less than a pipe holds, so they can be read at the end.
    TRY_ASSIGN(const std::optional<Exit> exit, child.WaitUntil(SystemClock().Now() + deadline));
    if (!exit) return Fail(Errc::kTimeout, "{}: no answer in {} ms", argv[0], deadline.count());
    std::string text(64u << 10, '\0');
    TRY_ASSIGN(const std::size_t n,
               ReadFull(out.read.get(), std::as_writable_bytes(std::span(text))));
    text.resize(n);
    if (!exit->ok()) return Fail(Errc::kIo, "{} {}", argv[0], Describe(*exit));
    return text;
  };
}

Finder::Finder(Target target, fs::path root, RunProgram run, Milliseconds look_every)
    : target_(std::move(target)),
      root_(std::move(root)),
      run_(std::move(run)),
      look_every_(look_every) {}

// The group's processes and those of the groups in it.
Members Finder::OfCgroup(const std::string& path) const {
  Members members;
  const fs::path folder = probe::CgroupMount(root_) / std::string_view(path).substr(1);
  std::vector<fs::path> folders = {folder};
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (entry->is_directory(failed)) folders.push_back(entry->path());
    if (folders.size() > 1000) break;
  }
  std::set<pid_t> pids;
  for (const fs::path& one : folders) {
    const auto text = probe::ReadText(one / "cgroup.procs");
    if (!text) continue;
    std::string_view rest = *text, line;
    while (probe::NextLine(rest, line)) {
      const auto pid = probe::ParseNumber(line);
      if (pid && *pid > 0 && *pid <= INT32_MAX) pids.insert(static_cast<pid_t>(*pid));
    }
  }
  for (const pid_t pid : pids) {
    if (auto process = ReadProcess(root_, pid)) members.processes.push_back(std::move(*process));
  }
  members.cgroup = path;
  return members;
}

// A process, its children, and its control group when that is not shared with us.
Members Finder::OfProcess(pid_t pid, const std::vector<Process>& all) const {
  Members members;
  members.processes = WithChildren(std::array{pid}, all);
  const auto group = [this](const std::string& of) -> std::optional<std::string> {
    const auto text = probe::ReadText(root_ / "proc" / of / "cgroup");
    return text ? probe::ParseCgroupPath(*text) : std::nullopt;
  };
  const auto its = group(std::to_string(pid));
  if (its && *its != "/" && its != group("self")) members.cgroup = its;
  return members;
}

std::vector<Process> Finder::Named(const std::vector<Process>& all) const {
  std::vector<Process> named;
  const pid_t self = ::getpid();
  for (const Process& process : all) {
    if (process.pid == self) continue;  // our own command line holds the name
    bool is = process.name == target_.name;
    if (!is && (target_.name.size() > 15 || target_.name.contains('/'))) {
      const auto words = CommandLine(root_, process.pid);
      is = !words.empty() &&
           (words[0] == target_.name || fs::path(words[0]).filename() == target_.name);
    }
    if (is) named.push_back(process);
  }
  return named;
}

Result<Members> Finder::Look() {
  switch (target_.kind) {
    case TargetKind::kMachine: {
      Members members;
      members.processes = AllProcesses(root_);
      std::ranges::sort(members.processes, std::ranges::greater(), &Process::rss);
      if (members.processes.size() > kLargest) members.processes.resize(kLargest);
      return members;
    }
    case TargetKind::kChildren: {
      auto all = AllProcesses(root_);
      std::erase_if(all, [this](const Process& process) {
        return process.parent == target_.pid && process.name == "headroom-probe";
      });
      Members members;
      members.processes = WithChildren(std::array{target_.pid}, all);
      std::erase_if(members.processes,
                    [this](const Process& process) { return process.pid == target_.pid; });
      return members;
    }
    case TargetKind::kCgroup:
      return OfCgroup(target_.name);
    case TargetKind::kName: {
      const auto all = AllProcesses(root_);
      std::vector<pid_t> roots;
      for (const Process& process : Named(all)) roots.push_back(process.pid);
      Members members;
      if (roots.size() == 1) return OfProcess(roots[0], all);
      members.processes = WithChildren(roots, all);
      return members;
    }
    case TargetKind::kPid: {
      const auto all = AllProcesses(root_);
      const auto is = [this](const Process& process) {
        return main_ ? process.pid == main_->pid && process.started == main_->started
                     : process.pid == target_.pid;
      };
      auto found = std::ranges::find_if(all, is);
      if (found == all.end() && !command_line_.empty())  // restarted
        found = std::ranges::find_if(all, [this](const Process& process) {
          return process.name == main_->name && CommandLine(root_, process.pid) == command_line_;
        });
      if (found == all.end()) return Members();
      if (!main_ || !is(*found)) {
        main_ = *found;
        command_line_ = CommandLine(root_, found->pid);
      }
      return OfProcess(found->pid, all);
    }
    case TargetKind::kUnit: {
      std::string name = target_.name;
      if (name.find('.') == std::string::npos) name += ".service";
      Error failed{Errc::kNotFound, "systemctl"};
      for (const char* whose : {"--system", "--user"}) {
        const auto text = run_({"systemctl", whose, "show", "--property=ControlGroup",
                                "--property=MainPID", "--", name});
        if (!text) {
          failed = text.error();
          continue;
        }
        const std::string_view group = ValueOf(*text, "ControlGroup");
        if (probe::ParseCgroupPath(fmt::format("0::{}", group)) && group.size() > 1) {
          Members members = OfCgroup(std::string(group));
          if (!members.processes.empty()) return members;
        }
        // Without cgroup v2 the main process is all that is known.
        const auto pid = probe::ParseNumber(ValueOf(*text, "MainPID"));
        if (pid && *pid > 0) return OfProcess(static_cast<pid_t>(*pid), AllProcesses(root_));
        failed.code = Errc::kIo;
      }
      if (failed.code == Errc::kNotFound) return Fail(std::move(failed));
      return Members();
    }
    case TargetKind::kContainer: {
      Error failed{Errc::kNotFound, "docker"};
      for (const char* tool : {"docker", "podman"}) {
        const auto text = run_({tool, "inspect", "--format", "{{.State.Pid}}", "--", target_.name});
        if (!text) {
          if (text.error().code != Errc::kNotFound) failed = text.error();
          continue;
        }
        const auto pid = probe::ParseNumber(Trim(*text));
        if (pid && *pid > 0) return OfProcess(static_cast<pid_t>(*pid), AllProcesses(root_));
        failed.code = Errc::kIo;
      }
      if (failed.code == Errc::kNotFound)
        return Fail(Errc::kNotFound, "container {}: neither docker nor podman is here",
                    target_.name);
      return Members();
    }
  }
  return Members();
}

Result<Members> Finder::Find(MonoTime now) {
  const bool look = !looked_ || now - *looked_ >= look_every_ || now < *looked_;
  if (look) {
    looked_ = now;
    TRY_ASSIGN(last_, Look());
  } else {
    // Between two looks: only who has ended.
    const std::size_t ended = std::erase_if(last_.processes, [this](const Process& process) {
      const auto still = ReadProcess(root_, process.pid);
      return !still || still->started != process.started;
    });
    if (ended > 0 && last_.processes.empty()) looked_.reset();  // a successor may be there already
  }
  return last_;
}

}  // namespace headroom::watch
