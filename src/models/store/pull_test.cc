#include "models/store/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "models/testing/test_pip.h"

namespace headroom::models {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PullTest : public testing::Test {
 protected:
  PullTest() {
    options_.endpoint = hub_.endpoint();
    options_.work = work_.path();
    options_.download.limits.answer = Milliseconds(1000);
    options_.download.limits.stall = Milliseconds(1000);
    options_.download.first_pause = Milliseconds(5);
    options_.download.spare = Bytes(0);
    hub_.Put("both-Q8_0.gguf", narrow_);
    hub_.Put("both-F16.gguf", wide_);
    hub_.Answer("both-Q8_0.gguf", json::array({{{"linked", true}}}));
    WriteZip(pip_.Package("both-package==1.0.whl"), {{"data/model.gguf", packaged_}});
    listener_.on_note = [this](const std::string& note) { notes_.push_back(note); };
  }

  Catalogue MakeCatalogue() {
    auto catalogue = ParseCatalogue(
        "[[model]]\nname = \"both\"\nfamily = \"whisper\"\nrepository = \"o/n\"\n"
        "default = \"Q8_0\"\n"
        "files = [{ quantisation = \"F16\" }, { quantisation = \"Q8_0\", size = 2000 }]\n"
        "[model.package]\nquantisation = \"F16\"\ndownload = 2000\n"
        "[[model.package.file]]\nname = \"model.gguf\"\nbytes = " +
            std::to_string(packaged_.size()) + "\nsha256 = \"" + SumOf(packaged_) +
            "\"\nparts = [{ package = \"both-package==1.0\", member = \"data/model.gguf\" }]\n"
            "[[model]]\nname = \"hub-only\"\nfamily = \"whisper\"\nrepository = \"o/n\"\n"
            "default = \"F16\"\nfiles = [{ quantisation = \"F16\" }]\n"
            "[[model]]\nname = \"dream\"\nfamily = \"x\"\npublished = false\nnearest = \"both\"\n",
        "c");
    EXPECT_TRUE(catalogue) << catalogue.error().what;
    return *catalogue;
  }
  Result<Pulled> Run(const ModelSpec& spec, CancelToken* cancel = nullptr) {
    return Pull(store_, spec, options_, listener_, cancel);
  }

  const std::string narrow_ = TinyGguf("both", 1), wide_ = TinyGguf("both", 2),
                    packaged_ = TinyGguf("both", 3);
  TestHub hub_;
  TestPip pip_;
  TestFolder folder_, work_;
  Store store_{folder_.path(), MakeCatalogue()};
  PullOptions options_;
  Listener listener_;
  std::vector<std::string> notes_;
};

TEST_F(PullTest, TheDefaultComesFromTheHubAndIsPinned) {
  const auto pulled = Run({"both", ""});
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_FALSE(pulled->already);
  EXPECT_EQ(ToString(pulled->model.spec), "both:Q8_0");
  EXPECT_EQ(ReadAll(folder_ / "both-Q8_0.gguf"), narrow_);
  const auto lock = store_.ReadLock();
  ASSERT_EQ(lock->entries.size(), 1u);
  EXPECT_EQ(lock->entries[0].sha256, SumOf(narrow_));
  EXPECT_EQ(lock->entries[0].source, hub_.endpoint() + "/o/n/resolve/main/both-Q8_0.gguf");
  EXPECT_THAT(notes_, IsEmpty());
  EXPECT_THAT(folder_.Files(), ElementsAre("both-Q8_0.gguf", "models.lock"));
}

TEST_F(PullTest, WhatIsHereIsNotFetchedAgain) {
  ASSERT_TRUE(Run({"both", ""}));
  const std::size_t requests = hub_.Requests().size();
  options_.offline = true;
  const auto again = Run({"both", ""});
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->already);
  EXPECT_EQ(hub_.Requests().size(), requests);
}

TEST_F(PullTest, WithoutADeclaredSumTheUserIsWarned) {
  ASSERT_TRUE(Run({"both", "F16"}));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("declared no sum")));
}

TEST_F(PullTest, WhatCameFromTheHubOnceHasToComeAgain) {
  ASSERT_TRUE(Run({"both", ""}));
  std::filesystem::remove(folder_ / "both-Q8_0.gguf");
  hub_.Put("both-Q8_0.gguf", TinyGguf("both", 9));
  const auto other = Run({"both", ""});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kChecksum);
  EXPECT_THAT(folder_.Files(), ElementsAre("models.lock"));
  ASSERT_TRUE(store_.Remove({"both", "Q8_0"}));  // what rm does: accept the new one
  EXPECT_TRUE(Run({"both", ""}));
}

TEST_F(PullTest, WhatIsNoModelIsNotKept) {
  hub_.Put("both-Q8_0.gguf", "<html>please log in</html>");
  const auto pulled = Run({"both", ""});
  ASSERT_FALSE(pulled);
  EXPECT_THAT(folder_.Files(), IsEmpty());
}

TEST_F(PullTest, WithoutTheHubItComesFromPackages) {
  options_.hub = false;
  const auto pulled = Run({"both", ""});
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(ToString(pulled->model.spec), "both:F16");
  EXPECT_EQ(ReadAll(pulled->model.path), packaged_);
  EXPECT_EQ(store_.ReadLock()->entries[0].source, "imported from package both-package==1.0");
  EXPECT_TRUE(hub_.Requests().empty());
  EXPECT_THAT(folder_.Files(), ElementsAre("both-F16.gguf", "models.lock"));
  EXPECT_THAT(work_.Files(), IsEmpty());
}

TEST_F(PullTest, AHubThatDoesNotAnswerIsReplacedByPackages) {
  hub_.Answer("both-Q8_0.gguf", {{"silent", true}});
  const auto pulled = Run({"both", ""});
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->model.spec.quantisation, "F16");
  EXPECT_THAT(notes_, ElementsAre(AllOf(HasSubstr("did not answer within 1 s"),
                                        HasSubstr("Python package index instead"))));
  EXPECT_THAT(folder_.Files(), ElementsAre("both-F16.gguf", "models.lock"));
}

TEST_F(PullTest, WhenNothingAnswersItIsOneLineAboutTheNetwork) {
  options_.endpoint = "http://127.0.0.1:1";
  std::filesystem::remove(pip_.Package("both-package==1.0.whl"));
  const auto pulled = Run({"both", ""});
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Errc::kNetwork);
  EXPECT_THAT(pulled.error().what,
              AllOf(HasSubstr("neither from http://127.0.0.1:1 nor from the package index"),
                    HasSubstr("headroom models bundle")));
  EXPECT_EQ(pulled.error().what.find('\n'), std::string::npos);
  const auto without = Run({"hub-only", ""});
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, Errc::kNetwork);
  EXPECT_THAT(folder_.Files(), IsEmpty());
  EXPECT_THAT(work_.Files(), IsEmpty());
}

TEST_F(PullTest, AWrongSumFromTheHubIsNotHiddenByPackages) {
  hub_.Answer("both-Q8_0.gguf", json::array({{{"linked", SumOf("other")}}}));
  const auto pulled = Run({"both", ""});
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Errc::kChecksum);
}

TEST_F(PullTest, OfflineFetchesNothing) {
  options_.offline = true;
  const auto pulled = Run({"both", ""});
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Errc::kNetwork);
  EXPECT_THAT(pulled.error().what, HasSubstr("--offline"));
  EXPECT_TRUE(hub_.Requests().empty());
}

TEST_F(PullTest, UnknownNamesAndQuantisations) {
  const struct {
    ModelSpec spec;
    Errc code;
    const char* says;
  } cases[] = {{{"bohth", ""}, Errc::kNotFound, "near to it: both"},
               {{"dream", ""}, Errc::kUnsupported, "never published"},
               {{"hub-only", "Q8_0"}, Errc::kNotFound, "of hub-only there are F16"},
               {{"both", "F32"}, Errc::kNotFound, "of both there are F16, Q8_0"}};
  for (const auto& [spec, code, says] : cases) {
    const auto pulled = Run(spec);
    ASSERT_FALSE(pulled);
    EXPECT_EQ(pulled.error().code, code);
    EXPECT_THAT(pulled.error().what, HasSubstr(says));
  }
}

TEST_F(PullTest, ACancelledOneGoesOnLater) {
  const std::string big = TinyGguf("both", 5) + Noise(400'000);  // data after the tensors is fine
  hub_.Put("both-F16.gguf", big);
  hub_.Answer("both-F16.gguf", {{"hang", 200'000}});
  CancelToken cancel;
  listener_.on_step = [&](const Step& step) {
    if (step.done >= Bytes(200'000)) cancel.Raise();
  };
  const auto stopped = Run({"both", "F16"}, &cancel);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kCancelled);
  EXPECT_EQ(stopped.error().what, "stopped; 200 kB kept, the same command goes on from there");
  EXPECT_THAT(folder_.Files(), ElementsAre("both-F16.gguf.part", "both-F16.gguf.part.json"));

  listener_.on_step = {};
  hub_.Answer("both-F16.gguf", json::object());
  const auto pulled = Run({"both", "F16"});
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(hub_.Requests().back()["range"], "bytes=200000-");
  EXPECT_EQ(ReadAll(folder_ / "both-F16.gguf"), big);
}

TEST_F(PullTest, TwoAtOnceFetchItOnce) {
  hub_.Put("both-Q8_0.gguf", narrow_);
  hub_.Answer("both-Q8_0.gguf", json::array({{{"linked", true}, {"slow", 400}}}));
  std::optional<Result<Pulled>> first, second;
  std::thread one([&] { first = Pull(store_, {"both", ""}, options_, {}, nullptr); });
  std::thread two([&] { second = Pull(store_, {"both", ""}, options_, {}, nullptr); });
  one.join();
  two.join();
  ASSERT_TRUE(*first && *second);
  EXPECT_NE((*first)->already, (*second)->already);
  EXPECT_EQ(hub_.Requests().size(), 1u);
}

TEST_F(PullTest, AFullDiskIsNoticedFirst) {
  options_.download.free_space = [](const auto&) { return Result<Bytes>(Bytes(1000)); };
  const auto from_hub = Run({"both", ""});
  ASSERT_FALSE(from_hub);
  EXPECT_EQ(from_hub.error().code, Errc::kNoSpace);
  options_.hub = false;
  const auto from_package = Run({"both", ""});
  ASSERT_FALSE(from_package);
  EXPECT_EQ(from_package.error().code, Errc::kNoSpace);
  EXPECT_EQ(pip_.calls(), "");
  EXPECT_THAT(folder_.Files(), IsEmpty());
}

TEST_F(PullTest, AFolderThatCannotBeWrittenIsSaid) {
  const Store store("/sys/headroom-models", MakeCatalogue());
  const auto pulled = Pull(store, {"both", ""}, options_, listener_, nullptr);
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, Errc::kPermission);
}

TEST(PullOptions, ComeFromTheEnvironment) {
  ::setenv("HF_ENDPOINT", "https://mirror.example/", 1);
  ::setenv("HF_TOKEN", "t", 1);
  ::setenv("HEADROOM_HUB", "off", 1);
  const PullOptions options = PullOptionsFromEnvironment();
  EXPECT_EQ(options.endpoint, "https://mirror.example");
  EXPECT_EQ(options.token, "t");
  EXPECT_FALSE(options.hub);
  for (const char* name : {"HF_ENDPOINT", "HF_TOKEN", "HEADROOM_HUB"}) ::unsetenv(name);
  EXPECT_TRUE(PullOptionsFromEnvironment().hub);
}

}  // namespace
}  // namespace headroom::models
