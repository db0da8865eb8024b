#include "app/dictation/text_delivery.h"
#include "net/control/event_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace headroom::app {
namespace {

using testing::ElementsAre;

struct Window {
  std::vector<std::string> texts;
  std::vector<std::uint64_t> ids;
  bool closed = false, keeps = false;
};

class WindowTarget : public output::Target {
 public:
  explicit WindowTarget(Window& window) : window_(window) {}
  std::string name() const override { return "window"; }
  bool acknowledges() const override { return false; }
  bool repeatable() const override { return false; }
  Result<> Deliver(const output::Delivery& delivery) override {
    if (window_.closed) return Fail(Errc::kIo, "the window has gone");
    window_.texts.push_back(delivery.text);
    window_.ids.push_back(delivery.id);
    return {};
  }
  Result<> TakeBack() override {
    if (window_.keeps) return Target::TakeBack();
    window_.texts.pop_back();
    return {};
  }

 private:
  Window& window_;
};

class TextDeliveryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/post-XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    history_ = speech::History::Open(folder_ + "/history.db", {}).value();
    DeliverySettings settings;
    settings.targets.push_back(std::make_unique<WindowTarget>(window_));
    settings.language = "en";
    settings.rewrite.replacements = {{"head room", "Headroom"}};
    settings.own_commands["de"] = {{"gruss", "Mit freundlichen Grüßen"}};
    text_delivery_ = std::make_unique<TextDelivery>(
        std::move(settings), history_.get(),
        [this](const Event& event) { events_.emplace_back(NameOf(event)); });
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<> Send(const std::string& text, const std::string& language = "", bool repeated = false) {
    const FinalText final_text{.id = ++id_,
                               .text = text,
                               .language = language,
                               .spoken = SystemClock().WallNow(),
                               .audio = Milliseconds(900),
                               .took = Milliseconds(20),
                               .repeated = repeated};
    const std::string composed = text_delivery_->Compose(final_text);
    if (composed.empty()) return {};
    auto arrived = text_delivery_->Deliver(final_text, composed);
    EXPECT_TRUE(text_delivery_->Remember(final_text, composed, arrived, Milliseconds(900)));
    return arrived;
  }

  std::string folder_;
  Window window_;
  std::vector<std::string> events_;
  std::unique_ptr<speech::History> history_;
  std::unique_ptr<TextDelivery> text_delivery_;
  std::uint64_t id_ = 0;
};

TEST_F(TextDeliveryTest, WritesWhatIsMeantInTheLanguageOfTheText) {
  EXPECT_TRUE(Send("Hello comma head room"));
  EXPECT_TRUE(Send("Gruss", "de"));
  EXPECT_THAT(window_.texts, ElementsAre("Hello, Headroom", "Mit freundlichen Grüßen"));
  EXPECT_EQ(history_->Last(1).value().at(0).target, "window");
}

TEST_F(TextDeliveryTest, ScratchThatTakesBackTheTextBefore) {
  EXPECT_TRUE(Send("One"));
  EXPECT_TRUE(Send("Two"));
  EXPECT_TRUE(Send("Scratch that."));
  EXPECT_THAT(window_.texts, ElementsAre("One"));
  EXPECT_THAT(events_, testing::Not(testing::Contains("notice")));
  window_.keeps = true;
  EXPECT_TRUE(Send("Scratch that."));
  EXPECT_THAT(window_.texts, ElementsAre("One"));
  EXPECT_THAT(events_, testing::Contains("notice")) << "that it stays is published";
}

TEST_F(TextDeliveryTest, WhatDidNotArriveIsFoundAndPasted) {
  window_.closed = true;
  EXPECT_FALSE(Send("Lost"));
  const auto entry = history_->LastUndelivered().value();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->text, "Lost");
  EXPECT_EQ(entry->arrival, speech::Arrival::kUndelivered);
  EXPECT_FALSE(text_delivery_->Paste(*entry));
  window_.closed = false;
  EXPECT_TRUE(text_delivery_->Paste(*entry));
  EXPECT_TRUE(text_delivery_->Paste(*entry));
  EXPECT_THAT(window_.texts, ElementsAre("Lost", "Lost"));
  EXPECT_THAT(window_.ids, testing::Each(testing::Gt(id_))) << "not the utterance's";
}

TEST_F(TextDeliveryTest, ARepeatedTextIsNotTypedTwice) {
  EXPECT_FALSE(Send("Perhaps there", "", true));
  EXPECT_TRUE(window_.texts.empty());
  EXPECT_EQ(history_->LastUndelivered().value()->arrival, speech::Arrival::kUncertain);
}

}  // namespace
}  // namespace headroom::app
