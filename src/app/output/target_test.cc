#include "app/output/target.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "app/output/file_ledger.h"
#include "app/output/run_program.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/testing/temp_folder.h"

namespace headroom::output {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Targets : public testing::Test {
 protected:
  std::string Text(const fs::path& path) { return ReadFile(path).value_or("(missing)"); }
  std::unique_ptr<Target> File() {
    return MakeTarget({.kind = TargetKind::kFile, .path = notes(), .state = folder_ / "state"})
        .value();
  }
  std::unique_ptr<Target> Command(const std::string& script,
                                  Milliseconds deadline = Milliseconds(10'000)) {
    return MakeTarget({.kind = TargetKind::kCommand,
                       .command = {"sh", "-c", script},
                       .deadline = deadline})
        .value();
  }
  fs::path notes() const { return folder_ / "notes.txt"; }
  fs::path ledger() const { return fs::directory_iterator(folder_ / "state")->path(); }

  const TempFolder folder_;
};

TEST_F(Targets, TheFileTargetWritesOneLinePerText) {
  auto file = File();
  ASSERT_TRUE(file->Deliver({.id = 1, .text = "Grüße \"quoted\" 🎤"}));
  ASSERT_TRUE(file->Deliver({.id = 2, .text = "two\nlines\n"}));
  EXPECT_EQ(Text(notes()), "Grüße \"quoted\" 🎤\ntwo lines\n");
  struct stat info{};
  ::stat(notes().c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_TRUE(file->acknowledges());
  EXPECT_TRUE(file->repeatable());
}

TEST_F(Targets, ARepeatedDeliveryCompletesThePartlyWrittenLine) {
  const std::string before = "earlier\n", line = "Grüße an alle\n";
  for (std::size_t came = 0; came <= line.size(); ++came) {
    ASSERT_TRUE(WriteFileAtomic(notes(), before));
    ASSERT_TRUE(File()->Deliver({.id = 7, .text = "Grüße an alle"}));
    ASSERT_EQ(Text(notes()), before + line);
    fs::resize_file(notes(), before.size() + came);  // as if the machine had stopped there
    ASSERT_TRUE(File()->Deliver({.id = 7, .text = "Grüße an alle", .repeated = true}));
    EXPECT_EQ(Text(notes()), before + line) << came;
  }
}

TEST_F(Targets, ARepeatedDeliveryWritesATextThatIsMissing) {
  ASSERT_TRUE(File()->Deliver({.id = 7, .text = "first"}));
  ASSERT_TRUE(File()->Deliver({.id = 8, .text = "second", .repeated = true}));
  // Utterance 71 reuses the ledger slot of utterance 7.
  ASSERT_TRUE(File()->Deliver({.id = 7 + 64, .text = "first", .repeated = true}));
  EXPECT_EQ(Text(notes()), "first\nsecond\nfirst\n");
}

TEST_F(Targets, EqualTextsAreWrittenAgainUnlessRepeated) {
  ASSERT_TRUE(File()->Deliver({.id = 7, .text = "yes"}));
  ASSERT_TRUE(File()->Deliver({.id = 7, .text = "yes"}));  // a new spool counts from the start
  EXPECT_EQ(Text(notes()), "yes\nyes\n");
}

TEST_F(Targets, ARepeatedDeliveryToAnEditedFileWritesTheText) {
  ASSERT_TRUE(File()->Deliver({.id = 7, .text = "spoken"}));
  ASSERT_TRUE(WriteFileAtomic(notes(), "the user wrote this instead\n"));
  ASSERT_TRUE(File()->Deliver({.id = 7, .text = "spoken", .repeated = true}));
  EXPECT_EQ(Text(notes()), "the user wrote this instead\nspoken\n");
}

TEST_F(Targets, ADamagedLedgerNeverLosesAText) {
  for (std::uint64_t id = 0; id < 3; ++id)
    ASSERT_TRUE(File()->Deliver({.id = id, .text = "text " + std::to_string(id)}));
  const std::string whole = Text(ledger()), notes_whole = Text(notes());
  const auto repeat_all = [&] {
    ASSERT_TRUE(WriteFileAtomic(notes(), notes_whole));
    for (std::uint64_t id = 0; id < 3; ++id)
      ASSERT_TRUE(
          File()->Deliver({.id = id, .text = "text " + std::to_string(id), .repeated = true}));
    for (std::uint64_t id = 0; id < 3; ++id)
      EXPECT_THAT(Text(notes()), HasSubstr("text " + std::to_string(id) + "\n"));
  };
  for (std::size_t length = 0; length <= whole.size(); length += 7) {
    ASSERT_TRUE(WriteFileAtomic(ledger(), whole.substr(0, length)));
    repeat_all();
  }
  for (std::size_t at = 0; at < whole.size(); at += 11) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    ASSERT_TRUE(WriteFileAtomic(ledger(), flipped));
    repeat_all();
  }
  EXPECT_THAT(whole, testing::Not(HasSubstr("text"))) << "no words in the ledger";
}

TEST_F(Targets, AnUnwritableFileIsAnErrorWithItsName) {
  auto missing = MakeTarget({.kind = TargetKind::kFile,
                             .path = folder_ / "no/such/notes.txt",
                             .state = folder_ / "state"})
                     .value();
  const auto done = missing->Deliver({.id = 1, .text = "x"});
  EXPECT_EQ(done.error().code, Errc::kNotFound);
  EXPECT_THAT(done.error().what, HasSubstr("no/such/notes.txt"));
  auto device =
      MakeTarget({.kind = TargetKind::kFile, .path = "/dev/null", .state = folder_ / "state"})
          .value();
  EXPECT_EQ(device->Deliver({.id = 1, .text = "x"}).error().code, Errc::kInvalid);
}

TEST_F(Targets, AFullDiskLeavesNoPartOfALine) {
  ASSERT_TRUE(File()->Deliver({.id = 1, .text = "one"}));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{6000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto done = File()->Deliver({.id = 2, .text = std::string(9000, 'x')});
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kNoSpace);
  EXPECT_EQ(Text(notes()), "one\n");
}

TEST_F(Targets, ACommandGetsTheTextOnStandardInputAndInTheEnvironment) {
  const std::string out = folder_ / "out";
  auto command = Command(
      "cat > " + out +
      "; printf '|%s|%s|%s' \"$HEADROOM_TEXT\" $HEADROOM_UTTERANCE $HEADROOM_REPEATED >> " + out);
  ASSERT_TRUE(command->Deliver({.id = 42, .text = "a 'b' \"c\" $HOME\nGrüße"}));
  EXPECT_EQ(Text(out), "a 'b' \"c\" $HOME\nGrüße|a 'b' \"c\" $HOME\nGrüße|42|0");
  ASSERT_TRUE(command->Deliver({.id = 43, .text = std::string(300'000, 'x')}));
  EXPECT_EQ(Text(out), std::string(300'000, 'x') + "||43|0");
}

TEST_F(Targets, ACommandThatFailsHangsOrIsMissingIsAnError) {
  const auto failed =
      Command("echo secret; echo secret >&2; exit 3")->Deliver({.id = 1, .text = "secret"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kIo);
  EXPECT_THAT(failed.error().what, HasSubstr("exited with 3"));
  EXPECT_THAT(failed.error().what, testing::Not(HasSubstr("secret")));
  EXPECT_EQ(Command("sleep 100", Milliseconds(50))->Deliver({.id = 1, .text = "x"}).error().code,
            Errc::kTimeout);
  auto missing = MakeTarget({.kind = TargetKind::kCommand, .command = {"no-such-program"}}).value();
  const auto done = missing->Deliver({.id = 1, .text = "x"});
  EXPECT_EQ(done.error().what, "no-such-program is not installed");
}

TEST_F(Targets, UnreadStandardOutputIsATimeout) {
  const Fd before(::dup(STDOUT_FILENO));
  Pipe pipe = MakePipe().value();
  ::fcntl(pipe.write.get(), F_SETPIPE_SZ, 4096);
  std::fflush(stdout);
  ::dup2(pipe.write.get(), STDOUT_FILENO);
  auto target = MakeTarget({.kind = TargetKind::kStdout, .deadline = Milliseconds(50)}).value();
  const auto first = target->Deliver({.id = 1, .text = "hello"});
  const auto second = target->Deliver({.id = 1, .text = std::string(20'000, 'x')});
  ::dup2(before.get(), STDOUT_FILENO);
  EXPECT_TRUE(first);
  EXPECT_EQ(second.error().code, Errc::kTimeout);
  std::string text(6, '\0');
  ASSERT_EQ(ReadFull(pipe.read.get(), std::as_writable_bytes(std::span(text))).value(), 6U);
  EXPECT_EQ(text, "hello\n");
}

TEST(MakeTarget, RejectsInvalidOptions) {
  EXPECT_EQ(MakeTarget({.kind = TargetKind::kFile}).error().code, Errc::kInvalid);
  EXPECT_EQ(MakeTarget({.kind = TargetKind::kCommand}).error().code, Errc::kInvalid);
  EXPECT_EQ(MakeTarget({.newlines = Newlines::kShiftEnter}).error().code, Errc::kInvalid);
  EXPECT_EQ(ParseTargetKind("type").value(), TargetKind::kType);
  EXPECT_THAT(ParseTargetKind("printer").error().what, HasSubstr("stdout, file, command"));
}

TEST(Typing, NothingIsTypedIntoALockedSession) {
  bool locked = true;
  auto target =
      MakeTarget({.kind = TargetKind::kType, .locked = [&locked] { return locked; }}).value();
  EXPECT_EQ(target->Deliver({.id = 1, .text = "secret"}).error().code, Errc::kBusy);
}

TEST(Typing, RejectsInvalidOptions) {
  EXPECT_EQ(
      MakeTarget({.kind = TargetKind::kType, .typing = {.injectors = {"magic"}}}).error().code,
      Errc::kInvalid);
  EXPECT_EQ(MakeTarget({.kind = TargetKind::kType, .typing = {.paste_key = "ctrl+p"}}).error().code,
            Errc::kInvalid);
  EXPECT_TRUE(MakeTarget({.kind = TargetKind::kType, .typing = {.paste_key = "Ctrl+Shift+V"}}));
}

TEST(RunProgram, DoesNotWaitForBackgroundChildren) {
  const MonoTime start = SystemClock().Now();
  const auto ran =
      RunProgram({.argv = {"sh", "-c", "cat; echo bad >&2; sleep 20 & exit 4"}, .input = "in"});
  EXPECT_LT(SystemClock().Now() - start, std::chrono::seconds(10));
  ASSERT_TRUE(ran) << ran.error().what;
  EXPECT_EQ(ran->out, "in");
  EXPECT_EQ(ran->err, "bad\n");
  EXPECT_EQ(ran->exit.code, 4);
}

TEST(RunProgram, KillsAProgramThatPrintsTooMuch) {
  const auto ran = RunProgram({.argv = {"yes"}, .most_output = KiB(100)});
  EXPECT_EQ(ran.error().code, Errc::kNoMemory);
}

}  // namespace
}  // namespace headroom::output
