#include "app/daemon/model_controller.h"

#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>

#include "app/testing/fake_scheduler.h"

namespace headroom::app {
namespace {

using Given = Result<nlohmann::json>;

class ModelControllerTest : public testing::Test {
 protected:
  template <class Ask>
  std::future<Given> Asked(Ask ask) {
    auto promise = std::make_shared<std::promise<Given>>();
    auto given = promise->get_future();
    ask(net::Answer([promise](Given one) { promise->set_value(std::move(one)); }));
    return given;
  }
  static bool Ready(const std::future<Given>& given) {
    return given.wait_for(Milliseconds(0)) == std::future_status::ready;
  }

  FakeClock clock_;
  Result<> may_unload_;
  std::unique_ptr<asr::Scheduler> scheduler_ = FakeScheduler("slow=1");
  ModelController models_{
      *scheduler_, {asr::Scripted("slow=1")}, [this] { return may_unload_; }, clock_};
};

TEST_F(ModelControllerTest, NamesTheTiersAndWhatTheyTake) {
  const Given given = Asked([this](net::Answer answer) { models_.Get(std::move(answer)); }).get();
  ASSERT_TRUE(given);
  ASSERT_EQ((*given)["tiers"].size(), 1U);
  const auto& tier = (*given)["tiers"][0];
  EXPECT_FALSE(tier["loaded"]);
  EXPECT_GE(tier["peak_bytes"], tier["resident_bytes"]);
  ASSERT_EQ(models_.served().size(), 1U);
  EXPECT_EQ(models_.served()[0].id, tier["model"].get<std::string>());
  EXPECT_EQ(nlohmann::json::parse(models_.plan())["tiers"].size(), 1U);
}

TEST_F(ModelControllerTest, AModelInUseIsNotGivenBack) {
  may_unload_ = Fail(Errc::kBusy, "the microphone is in use");
  const Given given =
      Asked([this](net::Answer answer) { models_.Unload(std::move(answer)); }).get();
  EXPECT_EQ(given.error().code, Errc::kBusy);
  EXPECT_EQ(given.error().what, "the microphone is in use");
}

TEST_F(ModelControllerTest, ALoadThatTakesTooLongIsAnsweredInTime) {
  ASSERT_TRUE(scheduler_->Suspend());  // nothing is loaded meanwhile
  auto given = Asked([this](net::Answer answer) { models_.Load(std::move(answer)); });
  models_.Turn();
  EXPECT_FALSE(Ready(given));
  clock_.Advance(Milliseconds(50'000));
  models_.Turn();
  ASSERT_TRUE(Ready(given));
  EXPECT_EQ(given.get().error().code, Errc::kTimeout);
}

}  // namespace
}  // namespace headroom::app
