#include "audio/capture/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "audio/capture/capture.h"
#include "audio/testing/media_fixture.h"

namespace headroom::audio {
namespace {

constexpr auto kLong = std::chrono::seconds(20);

std::vector<float> ReadAll(Source& source) {
  std::vector<float> all, block(512);
  while (!source.ended()) {
    const auto count = source.Read(block, kLong);
    if (!count) ADD_FAILURE() << count.error().what;
    if (!count) break;
    all.insert(all.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(*count));
  }
  return all;
}

TEST(Source, PlaysWholeFilesWithAPauseBetween) {
  const TempFolder folder;
  WriteBytes(folder / "a.wav", Wav({}, Sine(440, 0.5, 16000, 1.0)));
  WriteBytes(folder / "b.wav", Wav({}, Sine(880, 0.5, 16000, 0.5)));
  auto source = MakeSource({.kind = SourceKind::kFile,
                            .files = {folder / "a.wav", folder / "b.wav"},
                            .pause = Milliseconds(250),
                            .real_time = false})
                    .value();
  EXPECT_EQ(source->report().state, SourceState::kClosed);
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(source->Open());
    const std::vector<float> all = ReadAll(*source);
    ASSERT_EQ(all.size(), 16000U + 4000U + 8000U);
    EXPECT_NEAR(LevelAt(440, {all.begin(), all.begin() + 16000}), 0.5, 0.02);
    EXPECT_EQ(Rms({all.begin() + 16000, all.begin() + 20000}), 0);
    EXPECT_NEAR(LevelAt(880, {all.begin() + 20000, all.end()}), 0.5, 0.02);
    EXPECT_EQ(source->report().samples, 28000);
    EXPECT_EQ(source->report().dropped, 0);
    source->Close();
    std::vector<float> block(9);
    EXPECT_EQ(source->Read(block, kLong).value(), 0U) << "at once, when closed";
  }
}

TEST(Source, PlaysAFileInRealTime) {
  const TempFolder folder;
  WriteBytes(folder / "a.wav", Wav({}, Sine(440, 0.5, 16000, 0.5)));
  auto source = MakeSource({.kind = SourceKind::kFile, .files = {folder / "a.wav"}}).value();
  ASSERT_TRUE(source->Open());
  const MonoTime start = SystemClock().Now();
  EXPECT_EQ(ReadAll(*source).size(), 8000U);
  EXPECT_GE(SystemClock().Now() - start, Milliseconds(490));
}

TEST(Source, AnUnreadableFileIsAnErrorAndEndsTheSource) {
  auto source = MakeSource({.kind = SourceKind::kFile, .files = {"/no/such.wav"}}).value();
  ASSERT_TRUE(source->Open());
  std::vector<float> block(9);
  for (int twice = 0; twice < 2; ++twice) {
    const auto count = source->Read(block, kLong);
    ASSERT_FALSE(count);
    EXPECT_EQ(count.error().code, Errc::kNotFound);
  }
  EXPECT_TRUE(source->ended());
  EXPECT_EQ(source->report().state, SourceState::kLost);
  EXPECT_THAT(source->report().problem, testing::HasSubstr("/no/such.wav"));
}

TEST(Source, CloseStopsAPlayingFile) {
  const TempFolder folder;
  WriteBytes(folder / "a.wav", Wav({}, Sine(440, 0.5, 16000, 60)));
  auto source = MakeSource({.kind = SourceKind::kFile, .files = {folder / "a.wav"}}).value();
  ASSERT_TRUE(source->Open());
  std::vector<float> block(100);
  ASSERT_GT(source->Read(block, kLong).value(), 0U);
  EXPECT_EQ(source->report().state, SourceState::kRunning);
  const MonoTime start = SystemClock().Now();
  source->Close();
  EXPECT_LT(SystemClock().Now() - start, std::chrono::seconds(5));
  EXPECT_EQ(source->report().state, SourceState::kClosed);
}

TEST(Source, NoneGivesNoSamplesAndReportsWhy) {
  auto source = MakeSource({.kind = SourceKind::kNone}).value();
  ASSERT_TRUE(source->Open());
  std::vector<float> block(9);
  EXPECT_EQ(source->Read(block, Milliseconds(20)).value(), 0U);
  EXPECT_FALSE(source->ended());
  EXPECT_EQ(source->report().problem, "no audio source is configured");
}

TEST(Source, RejectsInvalidOptions) {
  EXPECT_EQ(MakeSource({.kind = SourceKind::kFile}).error().code, Errc::kInvalid);
  EXPECT_EQ(MakeSource({.buffer = Milliseconds(0)}).error().code, Errc::kInvalid);
  EXPECT_EQ(ParseSourceKind("pulse").value(), SourceKind::kPulse);
  EXPECT_THAT(ParseSourceKind("mic").error().what, testing::HasSubstr("auto, pulse, alsa"));
}

// Standard input of this process, replaced for one test.
class FakeStdin {
 public:
  FakeStdin() : before_(::dup(STDIN_FILENO)), pipe_(MakePipe().value()) {
    ::dup2(pipe_.read.get(), STDIN_FILENO);
    pipe_.read.Reset();
  }
  ~FakeStdin() { ::dup2(before_.get(), STDIN_FILENO); }
  void Write(std::string_view bytes) { ASSERT_TRUE(WriteAll(pipe_.write.get(), bytes)); }
  void End() { pipe_.write.Reset(); }

 private:
  Fd before_;
  Pipe pipe_;
};

TEST(Source, RawStandardInputMayBeSplitAnywhere) {
  FakeStdin input;
  auto source = MakeSource({.kind = SourceKind::kStdin, .stdin_format = StdinFormat::kS16}).value();
  ASSERT_TRUE(source->Open());
  std::vector<float> block(9);
  input.Write(std::string_view("\x00\x40\x00", 3));
  ASSERT_EQ(source->Read(block, kLong).value(), 1U);
  EXPECT_EQ(block[0], 0.5F);
  input.Write(std::string_view("\x80", 1));
  ASSERT_EQ(source->Read(block, kLong).value(), 1U);
  EXPECT_EQ(block[0], -1.0F);
  EXPECT_FALSE(source->ended());
  input.End();
  EXPECT_EQ(source->Read(block, kLong).value(), 0U);
  EXPECT_TRUE(source->ended());
}

TEST(Source, MakesFloatsFromStandardInputFinite) {
  FakeStdin input;
  auto source = MakeSource({.kind = SourceKind::kStdin, .stdin_format = StdinFormat::kF32}).value();
  ASSERT_TRUE(source->Open());
  const float values[] = {0.25F, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), -0.5F};
  input.Write({reinterpret_cast<const char*>(values), sizeof values});
  input.End();
  EXPECT_EQ(ReadAll(*source), (std::vector<float>{0.25F, 0, 0, -0.5F}));
  EXPECT_EQ(source->report().repaired, 2);
}

TEST(Source, ReadsAWavFromStandardInput) {
  FakeStdin input;
  auto source = MakeSource({.kind = SourceKind::kStdin}).value();
  ASSERT_TRUE(source->Open());
  const std::string wav = Wav({}, Sine(440, 0.5, 16000, 1.0));
  std::thread writer([&] {
    input.Write(wav);
    input.End();
  });
  const std::vector<float> all = ReadAll(*source);
  writer.join();
  EXPECT_EQ(all.size(), 16000U);
}

TEST(Capture, DropsAndCountsSamplesWhileTheReaderIsAway) {
  std::atomic<bool> full = false;
  auto source = MakeThreadSource(
      [&](Capture& capture) -> Result<> {
        const std::vector<float> second(16000, 0.5F);
        for (int i = 0; i < 10; ++i) capture.Put(second);
        full = true;
        while (capture.SleepFor(kLong)) {
        }
        return {};
      },
      32768);
  ASSERT_TRUE(source->Open());
  while (!full) std::this_thread::yield();
  EXPECT_EQ(source->report().dropped, 160'000 - 32768);
  std::vector<float> block(40'000);
  EXPECT_EQ(source->Read(block, kLong).value(), 32768U);
  source->Close();
}

TEST(Capture, SamplesCapturedBeforeCloseCanStillBeRead) {
  std::atomic<bool> put = false;
  auto source = MakeThreadSource(
      [&](Capture& capture) -> Result<> {
        capture.Put(std::vector<float>(1000, 0.5F));
        capture.PutMissing(24);
        put = true;
        while (capture.SleepFor(kLong)) {
        }
        return {};
      },
      4096);
  ASSERT_TRUE(source->Open());
  while (!put) std::this_thread::yield();
  source->Close();
  std::vector<float> block(4096);
  EXPECT_EQ(source->Read(block, kLong).value(), 1024U);
  EXPECT_EQ(source->report().repaired, 24);
  EXPECT_EQ(source->Read(block, kLong).value(), 0U);
}

}  // namespace
}  // namespace headroom::audio
