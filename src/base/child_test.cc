#include "base/child.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/fd.h"

namespace headroom {
namespace {

MonoTime In(Milliseconds from_now) {
  return SystemClock().Now() + from_now;
}

TEST(Child, ReportsExitCodesAndSignals) {
  auto child = Child::Spawn({.argv = {"sh", "-c", "exit 3"}, .fds = {}, .environment = {}});
  ASSERT_TRUE(child) << child.error().what;
  const Exit exit = child->Wait().value();
  EXPECT_EQ(exit.code, 3);
  EXPECT_EQ(Describe(exit), "exited with 3");
  EXPECT_EQ(child->Wait()->code, 3) << "asking again gives the same answer";

  auto killed = Child::Spawn({.argv = {"sh", "-c", "kill -SEGV $$"}, .fds = {}, .environment = {}});
  EXPECT_EQ(killed->Wait()->signal, SIGSEGV);
}

TEST(Child, AProgramThatIsNotThereIsAnErrorAtOnce) {
  auto child = Child::Spawn({.argv = {"/no/such/program"}, .fds = {}, .environment = {}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, Errc::kNotFound);
}

TEST(Child, ADeadlinePassesAndKillEndsTheWholeGroup) {
  auto pipe = MakePipe();
  auto child = Child::Spawn({.argv = {"sh", "-c", "sleep 100 & echo started; wait"},
                             .fds = {{1, pipe->write.get()}},
                             .environment = {}});
  pipe->write.Reset();
  std::byte started[8];
  ASSERT_EQ(ReadFull(pipe->read.get(), started).value_or(0), 8u);
  EXPECT_FALSE(child->WaitUntil(In(Milliseconds(20)))->has_value());
  child->Kill();
  EXPECT_EQ(child->Wait()->signal, SIGKILL);
  std::byte rest[1];
  EXPECT_EQ(ReadFull(pipe->read.get(), rest).value(), 0u) << "the grandchild still has the pipe";
}

TEST(Child, GetsExactlyTheDescriptorsAndVariablesItIsGiven) {
  auto pipe = MakePipe();
  auto other = MakePipe();
  auto child =
      Child::Spawn({.argv = {"sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; echo $COLOUR >&3"},
                    // 3 and 1 cross on purpose where the numbers overlap
                    .fds = {{3, pipe->write.get()}, {1, other->write.get()}},
                    .environment = {{"COLOUR", "green"}}});
  pipe->write.Reset();
  other->write.Reset();
  EXPECT_TRUE(child->Wait()->ok());
  std::byte text[64];
  const std::size_t n = ReadFull(pipe->read.get(), text).value();
  EXPECT_EQ(std::string(reinterpret_cast<char*>(text), n), "green\n");
  const std::size_t m = ReadFull(other->read.get(), text).value();
  // ls itself opens one more, the folder it lists.
  EXPECT_EQ(std::string(reinterpret_cast<char*>(text), m), "0 1 2 3 4 ");
}

}  // namespace
}  // namespace headroom
