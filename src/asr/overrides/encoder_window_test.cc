#include "asr/overrides/encoder_window.h"

#include <gguf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace headroom::worker {
namespace {

constexpr Milliseconds kFull{30'000};

TEST(WindowFor, LeavesSilenceBehindTheSpeechAndGrowsWithIt) {
  Milliseconds before{0};
  for (Milliseconds audio{0}; audio <= Milliseconds(40'000); audio += Milliseconds(10)) {
    const Milliseconds window = WindowFor(audio, kFull);
    ASSERT_GE(window, before) << audio.count();
    ASSERT_LE(window, kFull);
    ASSERT_EQ(window.count() % 20, 0);
    ASSERT_TRUE(window == kFull || window - audio >= Milliseconds(4000)) << audio.count();
    before = window;
  }
  EXPECT_LT(WindowFor(Milliseconds(3000), kFull), kFull / 2);
  EXPECT_EQ(WindowFor(Milliseconds(28'000), kFull), kFull);
}

TEST(WindowFor, KnowsModelsWithShortWindowsOrNone) {
  EXPECT_EQ(WindowFor(Milliseconds(3000), Milliseconds(4000)), Milliseconds(4000));
  EXPECT_EQ(WindowFor(Milliseconds(3000), Milliseconds(0)), Milliseconds(0));
}

TEST(EncoderWindow, WithoutAModelNothingIsSet) {
  EncoderWindow none;
  EXPECT_FALSE(none);
  none.Set(kFull, kFull);
  EXPECT_EQ(none.full(), Milliseconds(0));
}

// What is no Whisper header is left to the engine, and to its refusal.
TEST(WindowSearch, FindsNothingInAStranger) {
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> stranger(gguf_init_empty(), gguf_free);
  std::vector<std::int32_t> numbers(1024);
  WindowSearch search;
  EXPECT_NE(search.Read(stranger.get(), numbers.data()), 0);
  EXPECT_FALSE(search.found());
  gguf_set_val_u32(stranger.get(), "stt.frontend.n_samples", 480'000);
  gguf_set_val_u32(stranger.get(), "stt.frontend.nb_max_frames", 3000);
  EXPECT_NE(search.Read(stranger.get(), numbers.data()), 0);
  EXPECT_FALSE(search.found());
}

}  // namespace
}  // namespace headroom::worker
