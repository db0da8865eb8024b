#include "observe/watch/target.h"

#include <gmock/gmock.h>

#include "observe/testing/fixture.h"
#include "observe/watch/kernel_log.h"

namespace headroom::watch {
namespace {

using probe::FakeRoot;
using probe::Files;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Stat(pid_t pid, const std::string& name, pid_t parent, int started, int pages = 100) {
  return fmt::format(
      "{} ({}) S {} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {} 12345678 {} 18446744073709551615 "
      "1 "
      "1\n",
      pid, name, parent, started, pages);
}

Files ProcessFiles(pid_t pid, const std::string& name, pid_t parent, int started,
                   const std::string& command, const std::string& group = "/") {
  const std::string folder = fmt::format("proc/{}/", pid);
  std::string line = command;
  std::ranges::replace(line, ' ', '\0');
  return {{folder + "stat", Stat(pid, name, parent, started)},
          {folder + "cmdline", line + '\0'},
          {folder + "cgroup", "0::" + group + "\n"}};
}

std::vector<pid_t> Pids(const Result<Members>& members) {
  std::vector<pid_t> pids;
  EXPECT_TRUE(members) << members.error().what;
  if (members) {
    for (const Process& process : members->processes) pids.push_back(process.pid);
  }
  return pids;
}

Result<std::string> NoTools(const std::vector<std::string>& argv) {
  return Fail(Errc::kNotFound, "start {}: No such file or directory", argv[0]);
}

MonoTime After(int seconds) {
  return MonoTime(std::chrono::hours(1) + std::chrono::seconds(seconds));
}

TEST(ParseStatTest, TakesAnyNameAndRefusesGarbage) {
  const auto process = ParseStat(Stat(42, "a) S (b", 7, 900));
  ASSERT_TRUE(process);
  EXPECT_EQ(process->pid, 42);
  EXPECT_EQ(process->parent, 7);
  EXPECT_EQ(process->started, 900u);
  EXPECT_EQ(process->name, "a) S (b");
  EXPECT_EQ(process->rss.n % 100, 0);
  EXPECT_FALSE(ParseStat("42 (zombie) Z 7 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 1 0 900 0 0"));
  const std::string whole = Stat(42, "x", 7, 900);
  for (const char* bad : {"", "42", "42 (x", "42 x) S 1", ") (", "0 (x) S 1 1 1 1"})
    EXPECT_FALSE(ParseStat(bad)) << bad;
  for (std::size_t end = 0; end < whole.size() / 2; ++end) ParseStat(whole.substr(0, end));
}

TEST(ParseTargetTest, AsAPersonNamesIt) {
  const auto kind = [](std::string_view text) { return ParseTarget(text)->kind; };
  EXPECT_EQ(kind("4711"), TargetKind::kPid);
  EXPECT_EQ(ParseTarget("pid:4711")->pid, 4711);
  EXPECT_EQ(kind("ollama"), TargetKind::kName);
  EXPECT_EQ(kind("name:4711x"), TargetKind::kName);
  EXPECT_EQ(kind("ollama.service"), TargetKind::kUnit);
  EXPECT_EQ(kind("unit:ollama"), TargetKind::kUnit);
  EXPECT_EQ(kind("container:web"), TargetKind::kContainer);
  EXPECT_EQ(kind("/system.slice/x.service"), TargetKind::kCgroup);
  EXPECT_EQ(ParseTarget("/sys/fs/cgroup/user.slice")->name, "/user.slice");
  EXPECT_EQ(kind(""), TargetKind::kMachine);
  for (const char* bad :
       {"0", "pid:", "pid:x", "99999999999", "name:", "unit:", "cgroup:x", "/../etc", "cgroup:"})
    EXPECT_EQ(ParseTarget(bad).error().code, Errc::kInvalid) << bad;
  for (const char* text : {"4711", "ollama", "unit:ollama", "container:web", "/a/b"})
    EXPECT_EQ(ToText(*ParseTarget(ToText(*ParseTarget(text)))), ToText(*ParseTarget(text)));
}

TEST(FinderTest, APidItsChildrenAndItsSuccessor) {
  FakeRoot root;
  root.Write({{"proc/self/cgroup", "0::/us\n"}});
  root.Write(ProcessFiles(100, "server", 1, 10, "server --port 1", "/svc"));
  root.Write(ProcessFiles(90, "child", 100, 20, "child"));  // pids wrap
  root.Write(ProcessFiles(91, "grandchild", 90, 30, "x"));
  root.Write(ProcessFiles(200, "server", 1, 5, "server --port 2"));
  Finder finder(*ParseTarget("100"), root.path(), NoTools);
  auto members = finder.Find(After(0));
  EXPECT_THAT(Pids(members), ElementsAre(90, 91, 100));
  EXPECT_EQ(members->cgroup, "/svc");

  // Between looks only the dead leave; a successor with the same command line is followed.
  root.Remove("proc/91");
  EXPECT_THAT(Pids(finder.Find(After(1))), ElementsAre(90, 100));
  for (const char* pid : {"proc/90", "proc/100"}) root.Remove(pid);
  EXPECT_THAT(Pids(finder.Find(After(1))), ElementsAre());
  EXPECT_THAT(Pids(finder.Find(After(1))), ElementsAre()) << "not the other server";
  root.Write(ProcessFiles(300, "server", 1, 99, "server --port 1"));
  EXPECT_THAT(Pids(finder.Find(After(4))), ElementsAre(300));
  // Its number in other hands is not it.
  root.Write(ProcessFiles(300, "other", 1, 150, "other"));
  EXPECT_THAT(Pids(finder.Find(After(5))), ElementsAre());
}

TEST(FinderTest, EverybodyOfAName) {
  FakeRoot root;
  root.Write({{"proc/self/cgroup", "0::/us\n"}});
  root.Write(ProcessFiles(10, "llama-server", 1, 1, "/opt/llama-server -m x"));
  root.Write(ProcessFiles(11, "llama-server", 1, 2, "/opt/llama-server -m y"));
  root.Write(ProcessFiles(12, "a-name-longer-t", 1, 3, "/opt/a-name-longer-than-15 z"));
  EXPECT_THAT(Pids(Finder(*ParseTarget("llama-server"), root.path(), NoTools).Find(After(0))),
              ElementsAre(10, 11));
  EXPECT_THAT(
      Pids(Finder(*ParseTarget("a-name-longer-than-15"), root.path(), NoTools).Find(After(0))),
      ElementsAre(12));
  EXPECT_THAT(Pids(Finder(*ParseTarget("nobody"), root.path(), NoTools).Find(After(0))),
              ElementsAre());
}

TEST(FinderTest, ACgroupWithThoseInIt) {
  FakeRoot root;
  root.Write(ProcessFiles(10, "a", 1, 1, "a"));
  root.Write(ProcessFiles(11, "b", 1, 2, "b"));
  root.Write({{"sys/fs/cgroup/x.slice/cgroup.procs", "10\n"},
              {"sys/fs/cgroup/x.slice/y.scope/cgroup.procs", "11\n77\nx\n"}});
  const auto members = Finder(*ParseTarget("/x.slice"), root.path(), NoTools).Find(After(0));
  EXPECT_THAT(Pids(members), ElementsAre(10, 11));
  EXPECT_EQ(members->cgroup, "/x.slice");
  EXPECT_THAT(Pids(Finder(*ParseTarget("/none"), root.path(), NoTools).Find(After(0))),
              ElementsAre());
}

TEST(FinderTest, AUnitBySystemctlAndAContainerByItsTool) {
  FakeRoot root;
  root.Write({{"proc/self/cgroup", "0::/us\n"}});
  root.Write(ProcessFiles(10, "a", 1, 1, "a", "/system.slice/x.service"));
  root.Write({{"sys/fs/cgroup/system.slice/x.service/cgroup.procs", "10\n"}});
  std::vector<std::string> asked;
  const auto tools = [&](const std::vector<std::string>& argv) -> Result<std::string> {
    asked.push_back(argv[0] + " " + argv.back());
    if (argv[0] == "systemctl" && argv[1] == "--user")
      return std::string("ControlGroup=/system.slice/x.service\nMainPID=10\n");
    if (argv[0] == "systemctl") return std::string("ControlGroup=\nMainPID=0\n");
    if (argv[0] == "podman") return std::string("10\n");
    return Fail(Errc::kNotFound, "start docker: No such file or directory");
  };
  auto unit = Finder(*ParseTarget("unit:x"), root.path(), tools).Find(After(0));
  EXPECT_THAT(Pids(unit), ElementsAre(10));
  EXPECT_EQ(unit->cgroup, "/system.slice/x.service");
  EXPECT_THAT(asked, ElementsAre("systemctl x.service", "systemctl x.service"));
  const auto container = Finder(*ParseTarget("container:web"), root.path(), tools).Find(After(0));
  EXPECT_THAT(Pids(container), ElementsAre(10));
  EXPECT_EQ(container->cgroup, "/system.slice/x.service");
  const auto none = Finder(*ParseTarget("container:web"), root.path(), NoTools).Find(After(0));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, HasSubstr("neither docker nor podman"));
}

TEST(RealProgramsTest, OutputAndFailureAndDeadline) {
  const RunProgram run = RealPrograms(Milliseconds(200));
  EXPECT_EQ(*run({"sh", "-c", "echo hello"}), "hello\n");
  EXPECT_EQ(run({"sh", "-c", "exit 3"}).error().code, Errc::kIo);
  EXPECT_EQ(run({"no-such-program-here"}).error().code, Errc::kNotFound);
  EXPECT_EQ(run({"sleep", "60"}).error().code, Errc::kTimeout);
}

TEST(KernelLines, ThoseThatMatter) {
  using record::EventKind;
  using record::Key;
  const auto oom = ParseKernelLine(
      "Out of memory: Killed process 4711 (python3) total-vm:9 kB, anon-rss:8kB, UID:1000");
  ASSERT_TRUE(oom);
  EXPECT_EQ(oom->Text(Key::kClass), "oom_kill");
  EXPECT_EQ(oom->Integer(Key::kPid), 4711);
  EXPECT_EQ(oom->Text(Key::kName), "python3");
  const auto group =
      ParseKernelLine("Memory cgroup out of memory: Killed process 12 (a (b)) total");
  EXPECT_EQ(group->Text(Key::kSource), "cgroup");
  const auto xid = ParseKernelLine(
      "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the "
      "bus.");
  ASSERT_TRUE(xid);
  EXPECT_EQ(xid->Integer(Key::kCode), 79);
  EXPECT_EQ(xid->Text(Key::kGpu), "0000:01:00");
  EXPECT_EQ(ParseKernelLine("NVRM: Xid (PCI:0000:01:00): 31, pid=815, x")->Integer(Key::kPid), 815);
  EXPECT_EQ(ParseKernelLine("amdgpu 0000:03:00.0: amdgpu: GPU reset begin!")->Text(Key::kGpu),
            "0000:03:00.0");
  EXPECT_EQ(ParseKernelLine("PM: suspend entry (deep)")->kind, EventKind::kSuspend);
  EXPECT_EQ(ParseKernelLine("PM: suspend exit")->kind, EventKind::kResume);
  for (const char* other : {"", "usb 1-1: new device", "NVRM: loading", "out of memory"})
    EXPECT_FALSE(ParseKernelLine(other)) << other;
  EXPECT_EQ(KmsgMessage("6,1,2,-;PM: suspend exit\n SUBSYSTEM=x"), "PM: suspend exit");
  EXPECT_EQ(KmsgMessage("no record"), "");
}

TEST(KernelLogTest, WithoutPermissionItIsSilent) {
  KernelLog log("/no/such/file");
  EXPECT_FALSE(log.readable());
  EXPECT_TRUE(log.Read({}).empty());
}

}  // namespace
}  // namespace headroom::watch
