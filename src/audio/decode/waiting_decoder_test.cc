#include "audio/decode/waiting_decoder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <vector>

#include "audio/decode/media_reader.h"
#include "audio/testing/media_fixture.h"
#include "base/clock.h"

namespace headroom::audio {
namespace {

std::size_t SamplesOf(MediaReader& reader) {
  std::vector<float> buffer(1 << 14);
  std::size_t samples = 0;
  while (true) {
    const auto n = reader.Read(buffer);
    if (!n) ADD_FAILURE() << n.error().what;
    if (!n || *n == 0) return samples;
    samples += *n;
  }
}

// Blocks until the child has ended and leaves it to be reaped.
bool AwaitEnd(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0;
}

TEST(WaitingDecoder, DecodesOneFile) {
  const TempFolder folder;
  const auto path = MakeMedia(folder, "wav");
  WaitingDecoder waiting;
  EXPECT_EQ(waiting.pid(), 0);
  waiting.Prepare();
  ASSERT_NE(waiting.pid(), 0);
  auto reader = MediaReader::Open(*headroom::Open(path, O_RDONLY), "x.wav", nullptr, &waiting);
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_EQ(waiting.pid(), 0);
  EXPECT_EQ(SamplesOf(**reader), 48'000U);
  EXPECT_EQ((*reader)->report().samples, 48'000);
}

TEST(WaitingDecoder, ReportsTheErrorsOfABadFile) {
  const TempFolder folder;
  const std::string path = folder / "x.wav";
  WriteBytes(path, "no sound at all");
  WaitingDecoder waiting;
  waiting.Prepare();
  const auto by_waiting =
      MediaReader::Open(*headroom::Open(path, O_RDONLY), "x.wav", nullptr, &waiting);
  const auto by_new = MediaReader::Open(*headroom::Open(path, O_RDONLY), "x.wav", nullptr);
  ASSERT_FALSE(by_waiting);
  ASSERT_FALSE(by_new);
  EXPECT_EQ(by_waiting.error().what, by_new.error().what);
}

TEST(WaitingDecoder, ADeadDecoderIsReplaced) {
  const TempFolder folder;
  const auto path = MakeMedia(folder, "wav");
  WaitingDecoder waiting;
  waiting.Prepare();
  ASSERT_NE(waiting.pid(), 0);
  ASSERT_EQ(::kill(waiting.pid(), SIGKILL), 0);
  ASSERT_TRUE(AwaitEnd(waiting.pid()));
  auto reader = MediaReader::Open(*headroom::Open(path, O_RDONLY), "x.wav", nullptr, &waiting);
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_EQ(SamplesOf(**reader), 48'000U);
}

TEST(WaitingDecoder, EndsWhenUnusedForALongTime) {
  FakeClock clock;
  WaitingDecoder waiting(clock);
  waiting.Prepare();
  clock.Advance(Milliseconds(999));
  waiting.DropAfter(Milliseconds(1000));
  EXPECT_NE(waiting.pid(), 0);
  clock.Advance(Milliseconds(1));
  waiting.DropAfter(Milliseconds(1000));
  EXPECT_EQ(waiting.pid(), 0);
}

}  // namespace
}  // namespace headroom::audio
