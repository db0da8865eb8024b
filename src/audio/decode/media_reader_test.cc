#include "audio/decode/media_reader.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "audio/format/format.h"
#include "audio/testing/media_fixture.h"
#include "base/dirs.h"

namespace headroom::audio {
namespace {

constexpr std::size_t kHeader = 44;

/// A WAV file of digital silence, 16 kHz 16-bit: a header and a hole that takes no disk.
std::string MakeSilence(const TempFolder& folder, std::int64_t seconds) {
  const std::string path = folder / "silence.wav";
  const auto bytes = static_cast<std::uint32_t>(seconds * kSampleRate * 2);
  WriteBytes(path, Wav({.data_bytes = bytes}, std::vector<double>{}));
  EXPECT_EQ(::truncate(path.c_str(), static_cast<off_t>(kHeader + bytes)), 0);
  return path;
}

/// Standard input is `fd` for as long as this lives.
class StandardInput {
 public:
  explicit StandardInput(int fd) : before_(::fcntl(0, F_DUPFD_CLOEXEC, 3)) { ::dup2(fd, 0); }
  ~StandardInput() { ::dup2(before_.get(), 0); }

 private:
  Fd before_;
};

Error ErrorOf(const std::string& path) {
  auto reader = MediaReader::Open(path, nullptr);
  EXPECT_FALSE(reader);
  return reader ? Error{} : reader.error();
}

TEST(MediaReader, ErrorsNameTheFile) {
  const TempFolder folder;
  const std::string missing = folder / "missing.wav";
  EXPECT_EQ(ErrorOf(missing).code, Errc::kNotFound);
  EXPECT_EQ(ErrorOf(missing).what, missing + ": No such file or directory");
  EXPECT_EQ(ErrorOf(folder / "").code, Errc::kInvalid);
  EXPECT_EQ(ErrorOf(folder / "").what, (folder / "").string() + ": a folder, not a file");
  EXPECT_EQ(ErrorOf("/dev/null").what, "/dev/null: 0 bytes");
  EXPECT_EQ(ErrorOf(folder / "a\nb\x1b.wav").what.find_first_of("\n\x1b"), std::string::npos);
}

TEST(MediaReader, ReportsAMissingReadPermission) {
  const TempFolder folder;
  const std::string path = folder / "secret.wav";
  WriteBytes(path, Wav({}, Sine(1000, 0.5, kSampleRate, 1)));
  ::chmod(path.c_str(), 0);
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(root ? ::seteuid(65534) : 0, 0);  // root may read everything
  auto reader = MediaReader::Open(path, nullptr);
  ASSERT_EQ(root ? ::seteuid(0) : 0, 0);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Errc::kPermission);
}

TEST(MediaReader, ReadsInPiecesOfAnySize) {
  const TempFolder folder;
  const std::string path = folder / "sine.wav";
  const auto sine = Sine(1000, 0.5, kSampleRate, 1);
  WriteBytes(path, Wav({.pcm = Pcm::kF32}, sine));
  auto reader = MediaReader::Open(path, nullptr).value();
  std::vector<float> got, piece;
  for (std::size_t size = 1;; size = size % 977 + 1) {
    piece.resize(size);
    const auto n = reader->Read(piece);
    ASSERT_TRUE(n) << n.error().what;
    if (*n == 0) break;
    got.insert(got.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*n));
  }
  ASSERT_EQ(got.size(), sine.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_FLOAT_EQ(got[i], static_cast<float>(sine[i]));
  EXPECT_EQ(reader->Read(piece).value(), 0u) << "the end stays the end";
}

TEST(MediaReader, ReadsAPipe) {
  const TempFolder folder;
  for (const char* kind : {"wav", "mp3", "flac", "ogg", "opus", "fast.m4a", "webm"}) {
    const std::string bytes = ReadBytes(MakeMedia(folder, kind));
    auto pipe = MakePipe();
    std::thread writer([&] {
      (void)WriteAll(pipe->write.get(), bytes);
      pipe->write.Reset();
    });
    const StandardInput input(pipe->read.get());
    const auto sound = Decode("-");
    writer.join();
    ASSERT_TRUE(sound) << kind << ": " << sound.error().what;
    EXPECT_NEAR(static_cast<double>(sound->samples.size()), 3 * kSampleRate, 2500) << kind;
    EXPECT_NEAR(LevelAt(1000, sound->samples), 0.5, 0.03) << kind;
    EXPECT_FALSE(sound->report.truncated) << kind << ": " << sound->report.detail;
  }
}

TEST(MediaReader, ReportsAFormatThatNeedsSeeking) {
  const TempFolder folder;
  const std::string path = folder / "noise.m4a";  // too large for the decoder to hold all of it
  Ffmpeg({"-f", "lavfi", "-i", "anoisesrc=duration=30", path});
  const std::string bytes = ReadBytes(path);
  auto pipe = MakePipe();
  std::thread writer([&] {
    ::signal(SIGPIPE, SIG_IGN);
    (void)WriteAll(pipe->write.get(), bytes);
    pipe->write.Reset();
  });
  const StandardInput input(pipe->read.get());
  const Error error = ErrorOf("-");
  writer.join();
  EXPECT_EQ(error.code, Errc::kUnsupported);
  EXPECT_EQ(error.what,
            "standard input: this format must be able to seek: save it to a file first");
}

TEST(MediaReader, AnEmptyPipeIsZeroBytes) {
  auto pipe = MakePipe();
  pipe->write.Reset();
  const StandardInput input(pipe->read.get());
  EXPECT_EQ(ErrorOf("-").what, "standard input: 0 bytes");
}

TEST(MediaReader, ReadsStandardInputThatIsAFile) {
  const TempFolder folder;
  auto file = headroom::Open(MakeMedia(folder, "m4a"), O_RDONLY);
  const StandardInput input(file->get());
  const auto sound = Decode("-");
  ASSERT_TRUE(sound) << sound.error().what;
  EXPECT_NEAR(LevelAt(1000, sound->samples), 0.5, 0.02);
}

TEST(MediaReader, ASilentPipeWaitsUntilItIsCancelled) {
  auto pipe = MakePipe();
  const StandardInput input(pipe->read.get());
  CancelToken cancel;
  std::thread other([&] { cancel.Raise(); });
  auto reader = MediaReader::Open("-", &cancel);
  other.join();
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Errc::kCancelled);
}

TEST(MediaReader, ANamedPipeWithoutAWriterCanBeCancelled) {
  const TempFolder folder;
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  CancelToken cancel;
  std::thread other([&] { cancel.Raise(); });
  auto reader = MediaReader::Open(path, &cancel);
  other.join();
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Errc::kCancelled);
}

TEST(MediaReader, CancellingStopsTheMiddleOfAFile) {
  const TempFolder folder;
  CancelToken cancel;
  auto reader = MediaReader::Open(MakeSilence(folder, 3600), &cancel).value();
  std::vector<float> buffer(1000);
  ASSERT_TRUE(reader->Read(buffer));
  cancel.Raise();
  const auto n = reader->Read(buffer);
  ASSERT_FALSE(n);
  EXPECT_EQ(n.error().code, Errc::kCancelled);
  EXPECT_EQ(::kill(reader->pid(), 0), -1) << "the decoder is still there";
}

/// Reads until something else than sound comes.
Result<std::size_t> ReadOn(MediaReader& reader) {
  std::vector<float> buffer(100'000);
  while (true) {
    auto n = reader.Read(buffer);
    if (!n || *n == 0) return n;
  }
}

TEST(MediaReader, AKilledDecoderIsAnError) {
  const TempFolder folder;
  auto reader = MediaReader::Open(MakeSilence(folder, 3600), nullptr).value();
  ::kill(reader->pid(), SIGKILL);
  const auto n = ReadOn(*reader);
  ASSERT_FALSE(n);
  EXPECT_EQ(n.error().code, Errc::kWorkerLost);
  EXPECT_NE(n.error().what.find("was killed by signal 9"), std::string::npos) << n.error().what;
  EXPECT_EQ(ReadOn(*reader).error().what, n.error().what) << "the error stays";
}

TEST(MediaReader, AHangingDecoderIsATimeout) {
  const TempFolder folder;
  auto reader = MediaReader::Open(MakeSilence(folder, 3600), nullptr, Milliseconds(200)).value();
  ::kill(reader->pid(), SIGSTOP);
  const auto n = ReadOn(*reader);
  ASSERT_FALSE(n);
  EXPECT_EQ(n.error().code, Errc::kTimeout);
  EXPECT_EQ(::kill(reader->pid(), 0), -1) << "the decoder is still there";
}

TEST(MediaReader, TheDecoderEndsWithItsReader) {
  const TempFolder folder;
  auto input = headroom::Open(MakeSilence(folder, 3600), O_RDONLY);
  auto pcm = MakePipe(), status = MakePipe();
  auto child =
      Child::Spawn({.argv = {FindProgram("headroom-decode")->string()},
                    .fds = {{0, input->get()}, {1, pcm->write.get()}, {3, status->write.get()}},
                    .environment = {}});
  pcm->write.Reset();
  std::byte some[1000];
  ASSERT_EQ(ReadFull(pcm->read.get(), some).value(), sizeof some);
  pcm->read.Reset();
  const auto exit = child->WaitUntil(SystemClock().Now() + std::chrono::seconds(20));
  ASSERT_TRUE(exit->has_value());
  EXPECT_EQ((*exit)->signal, SIGPIPE);
}

// 576 million samples: about as long as a disk could give them.
TEST(MediaReader, TenHoursTakeNoMoreMemoryThanTenMinutes) {
  const TempFolder folder;
  constexpr std::int64_t kSeconds = 10 * 3600;
  auto reader = MediaReader::Open(MakeSilence(folder, kSeconds), nullptr).value();
  EXPECT_EQ(reader->duration(), std::chrono::hours(10));
  std::vector<float> buffer(1 << 16);
  std::int64_t samples = 0, child_early = 0, own_early = 0, child_late = 0;
  while (true) {
    const auto n = reader->Read(buffer);
    ASSERT_TRUE(n) << n.error().what;
    if (*n == 0) break;
    samples += static_cast<std::int64_t>(*n);
    if (child_early == 0 && samples > 600 * kSampleRate) {
      child_early = ProcStatusKib(reader->pid(), "VmHWM");
      own_early = ProcStatusKib(::getpid(), "VmHWM");
    }
    if (child_late == 0 && samples > (kSeconds - 600) * kSampleRate)
      child_late = ProcStatusKib(reader->pid(), "VmHWM");
  }
  EXPECT_EQ(samples, kSeconds * kSampleRate);
  EXPECT_GT(child_early, 0);
  EXPECT_LE(child_late - child_early, 1024) << child_early << " KiB grew to " << child_late;
  EXPECT_LE(ProcStatusKib(::getpid(), "VmHWM") - own_early, 1024);
  RecordProperty("decoder_kib", std::to_string(child_late));
}

}  // namespace
}  // namespace headroom::audio
