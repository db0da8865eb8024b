#include "asr/overrides/encoder_window.h"

#include <gguf.h>
#include <gtest/gtest.h>
#include <src/arch/whisper/weights.h>

#include <algorithm>
#include <memory>

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

TEST(WindowFor, IsNeverLongerThanTheModels) {
  EXPECT_EQ(WindowFor(Milliseconds(3000), Milliseconds(4000)), Milliseconds(4000));
  EXPECT_EQ(WindowFor(Milliseconds(3000), Milliseconds(0)), Milliseconds(0));
}

TEST(EncoderWindow, WithoutAModelSetHasNoEffect) {
  EncoderWindow none;
  EXPECT_FALSE(none);
  none.Set(kFull, kFull);
  EXPECT_EQ(none.full(), Milliseconds(0));
}

TEST(WindowSearch, FindsNoWindowWhereTheEngineRefusesTheHeader) {
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> header(gguf_init_empty(), gguf_free);
  transcribe::whisper::WhisperHParams numbers;
  WindowSearch search;
  EXPECT_NE(search.Read(header.get(), numbers), TRANSCRIBE_OK);
  EXPECT_FALSE(search.found());
  gguf_set_val_u32(header.get(), "stt.frontend.n_samples", 480'000);
  gguf_set_val_u32(header.get(), "stt.frontend.nb_max_frames", 3000);
  EXPECT_NE(search.Read(header.get(), numbers), TRANSCRIBE_OK);
  EXPECT_FALSE(search.found());
}

}  // namespace
}  // namespace headroom::worker
