#include "app/daemon/history_controller.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

namespace headroom::app {
namespace {

namespace fs = std::filesystem;
using Given = Result<nlohmann::json>;

class FakeTarget : public output::Target {
 public:
  explicit FakeTarget(std::vector<std::string>& texts) : texts_(texts) {}
  Result<> Deliver(const output::Delivery& delivery) override {
    texts_.push_back(delivery.text);
    return {};
  }
  Result<> TakeBack() override { return {}; }
  std::string name() const override { return "fake"; }
  bool acknowledges() const override { return true; }
  bool repeatable() const override { return false; }

 private:
  std::vector<std::string>& texts_;
};

class HistoryControllerTest : public testing::Test {
 protected:
  HistoryControllerTest() {
    std::string name = (fs::path(testing::TempDir()) / "history-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
    auto history = speech::History::Open(folder_ / "history.db", {.clock = &clock_});
    EXPECT_TRUE(history) << history.error().what;
    history_ = std::move(*history);
    DeliverySettings settings;
    settings.targets.push_back(std::make_unique<FakeTarget>(texts_));
    delivery_.emplace(std::move(settings), history_.get(), [](const Event&) {});
    controller_.emplace(history_.get(), *delivery_, clock_);
  }
  ~HistoryControllerTest() override {
    controller_.reset();
    fs::remove_all(folder_);
  }

  void Add(std::uint64_t utterance, const std::string& text, speech::Arrival arrival) {
    speech::HistoryEntry entry;
    entry.utterance = utterance;
    entry.at = clock_.WallNow();
    entry.text = text;
    entry.arrival = arrival;
    ASSERT_TRUE(history_->Add(entry));
    if (arrival == speech::Arrival::kUndelivered) controller_->CountUndelivered();
  }
  template <class Ask>
  Given Get(Ask ask) {
    auto promise = std::make_shared<std::promise<Given>>();
    ask(net::Answer([promise](Given given) { promise->set_value(std::move(given)); }));
    return promise->get_future().get();
  }
  Given List(const net::HistoryRequest& request = {}) {
    return Get([&](net::Answer answer) { controller_->Get(request, std::move(answer)); });
  }
  Given Paste(std::optional<std::int64_t> id = {}) {
    return Get([&](net::Answer answer) { controller_->Paste(id, std::move(answer)); });
  }

  FakeClock clock_;
  fs::path folder_;
  std::vector<std::string> texts_;
  std::unique_ptr<speech::History> history_;
  std::optional<TextDelivery> delivery_;
  std::optional<HistoryController> controller_;
};

TEST_F(HistoryControllerTest, ListsTheNewestFirst) {
  Add(1, "one", speech::Arrival::kDelivered);
  Add(2, "two", speech::Arrival::kUndelivered);
  Add(3, "three", speech::Arrival::kDelivered);
  const Given two = List({.limit = 2});
  ASSERT_TRUE(two);
  ASSERT_EQ((*two)["entries"].size(), 2U);
  EXPECT_EQ((*two)["entries"][0]["text"], "three");
  const Given undelivered = List({.undelivered_only = true});
  ASSERT_EQ((*undelivered)["entries"].size(), 1U);
  EXPECT_EQ((*undelivered)["entries"][0]["arrival"], "undelivered");
}

TEST_F(HistoryControllerTest, PastesTheNewestThatDidNotArrive) {
  Add(1, "one", speech::Arrival::kUndelivered);
  Add(2, "two", speech::Arrival::kDelivered);
  EXPECT_EQ(controller_->undelivered(), 1);
  EXPECT_EQ((*Paste())["text"], "one");
  EXPECT_EQ(controller_->undelivered(), 0);
  EXPECT_EQ((*Paste())["text"], "two") << "now it is the newest";
  EXPECT_THAT(texts_, ::testing::ElementsAre("one", "two"));
  EXPECT_EQ(Paste(99).error().code, Errc::kNotFound);
}

TEST_F(HistoryControllerTest, ClearForgetsAllTexts) {
  Add(1, "one", speech::Arrival::kUndelivered);
  const Given cleared = Get([&](net::Answer answer) { controller_->Clear(std::move(answer)); });
  EXPECT_EQ((*cleared)["forgotten"], 1);
  EXPECT_EQ(controller_->undelivered(), 0);
  EXPECT_EQ((*List())["entries"].size(), 0U);
}

TEST_F(HistoryControllerTest, WithoutAHistoryItSaysSo) {
  controller_.emplace(nullptr, *delivery_, clock_);
  EXPECT_EQ(List().error().code, Errc::kUnsupported);
  EXPECT_EQ(Paste().error().code, Errc::kUnsupported);
  EXPECT_TRUE(controller_->Expire());
}

}  // namespace
}  // namespace headroom::app
