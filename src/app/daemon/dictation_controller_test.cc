#include "app/daemon/dictation_controller.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <nlohmann/json.hpp>

#include "app/daemon/task_queue.h"
#include "speech/testing/fake_vad.h"

namespace headroom::app {
namespace {

// A microphone in a silent room, or one from which nothing comes.
class FakeMicrophone : public audio::Source {
 public:
  explicit FakeMicrophone(const std::atomic<bool>& gives) : gives_(gives) {}
  Result<> Open() override {
    open_ = true;
    return {};
  }
  void Close() override { open_ = false; }
  Result<std::size_t> Read(std::span<float> into, Milliseconds) override {
    if (!open_ || !gives_) return 0;
    std::ranges::fill(into, 0.0F);
    return into.size();
  }
  bool ended() const override { return false; }
  audio::SourceReport report() const override {
    audio::SourceReport report;
    report.problem = "muted";
    return report;
  }

 private:
  const std::atomic<bool>& gives_;
  std::atomic<bool> open_{false};
};

class NoUtterances : public UtteranceSink {
 public:
  void SetListening(bool) override {}
  Result<> Begin() override { return {}; }
  Result<> Append(std::span<const float>) override { return {}; }
  bool WantsPartial(Milliseconds) override { return false; }
  void Partial(audio::FiniteAudio) override {}
  void Pause(audio::FiniteAudio) override {}
  void Resume() override {}
  Result<> End(audio::FiniteAudio, std::int64_t, const speech::Evidence&, Milliseconds) override {
    return {};
  }
  void Drop() override {}
};

class DictationControllerTest : public testing::Test {
 protected:
  DictationControllerTest() { EXPECT_TRUE(controller_.Start()); }

  Result<std::unique_ptr<Dictation>> Make() {
    if (fails_) return Fail(Errc::kNotFound, "there is no such microphone");
    ++made_;
    return std::make_unique<Dictation>(
        DictationOptions{.give_up = Milliseconds(0)}, std::make_unique<FakeMicrophone>(gives_),
        [] { return std::make_unique<speech::FakeVad>(); }, sink_,
        [this](const Event&) { tasks_.Wake(); });
  }
  std::future<Result<nlohmann::json>> Listen() {
    auto promise = std::make_shared<std::promise<Result<nlohmann::json>>>();
    controller_.Listen(net::Answer([promise](auto given) { promise->set_value(given); }));
    return promise->get_future();
  }
  /// Turns with each event until `done`.
  template <class Done>
  bool TurnUntil(Done done) {
    const MonoTime end = SystemClock().Now() + Milliseconds(20'000);
    while (!done() && SystemClock().Now() < end) {
      tasks_.RunSome(Milliseconds(200));
      turned_ = controller_.Turn();
      if (!turned_) return done();
    }
    return done();
  }

  FakeClock clock_;
  TaskQueue tasks_;
  NoUtterances sink_;
  std::atomic<bool> gives_{true};
  bool fails_ = false;
  int made_ = 0;
  Result<> turned_;
  DictationController controller_{[this] { return Make(); },
                                  [] { return nlohmann::json{{"phase", "listening"}}; }, clock_};
};

bool Ready(const std::future<Result<nlohmann::json>>& given) {
  return given.wait_for(Milliseconds(0)) == std::future_status::ready;
}

TEST_F(DictationControllerTest, AClientIsAnsweredWhenSamplesCome) {
  auto given = Listen();
  ASSERT_TRUE(TurnUntil([&] { return Ready(given); }));
  EXPECT_EQ((*given.get())["phase"], "listening");
}

TEST_F(DictationControllerTest, AMicrophoneThatGivesNothingIsReportedInTime) {
  gives_ = false;
  auto given = Listen();
  ASSERT_TRUE(TurnUntil([&] { return controller_.state() == DictationState::kOpening; }));
  EXPECT_FALSE(Ready(given));
  clock_.Advance(Milliseconds(8'000));
  ASSERT_TRUE(TurnUntil([&] { return Ready(given); }));
  const auto answer = given.get();
  EXPECT_EQ(answer.error().code, Errc::kTimeout);
  EXPECT_EQ(answer.error().what, "no sound comes from the microphone: muted");
}

TEST_F(DictationControllerTest, AReplacementGoesOnListening) {
  auto given = Listen();
  ASSERT_TRUE(TurnUntil([&] { return Ready(given); }));
  controller_.Replace(false);
  ASSERT_TRUE(TurnUntil([&] { return made_ == 2; }));
  EXPECT_TRUE(controller_.wanted());
  controller_.Finish();
  EXPECT_TRUE(controller_.WaitUntilIdle(Milliseconds(20'000)));
  controller_.Replace(false);
  ASSERT_TRUE(TurnUntil([&] { return made_ == 3; }));
  EXPECT_FALSE(controller_.wanted());
}

TEST_F(DictationControllerTest, WithoutAReplacementTheOldOneGoesOn) {
  auto given = Listen();
  ASSERT_TRUE(TurnUntil([&] { return Ready(given); }));
  fails_ = true;
  controller_.Replace(false);
  EXPECT_FALSE(TurnUntil([] { return false; }));
  EXPECT_EQ(turned_.error().code, Errc::kNotFound);
  EXPECT_TRUE(controller_.wanted());
}

}  // namespace
}  // namespace headroom::app
