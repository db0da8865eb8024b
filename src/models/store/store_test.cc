#include "models/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "models/testing/test_hub.h"

namespace headroom::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::array<std::string_view, 3> kFastest{"Q8_0", "Q5_K_M", "F16"};

Catalogue SomeModels() {
  auto catalogue = ParseCatalogue(
      "defaults = [\"whisper-base\", \"whisper-tiny.en\"]\nvad = \"silero\"\n"
      "[[model]]\nname = \"whisper-base\"\nfamily = \"whisper\"\nrepository = \"o/n\"\n"
      "default = \"Q8_0\"\nfiles = [{ quantisation = \"F16\" }, { quantisation = \"Q8_0\" }]\n"
      "[[model]]\nname = \"whisper-tiny.en\"\nfamily = \"whisper\"\nrepository = \"o/n\"\n"
      "default = \"Q8_0\"\nfiles = [{ quantisation = \"Q8_0\" }]\n"
      "[[model]]\nname = \"silero\"\nfamily = \"silero\"\nrole = \"vad\"\nrepository = \"o/n\"\n"
      "default = \"F32\"\nfiles = [{ quantisation = \"F32\" }]\n"
      "[[model]]\nname = \"canary-500m\"\nfamily = \"canary\"\npublished = false\n"
      "nearest = \"whisper-base\"\n",
      "c");
  EXPECT_TRUE(catalogue) << catalogue.error().what;
  return *catalogue;
}

class StoreTest : public testing::Test {
 protected:
  void Put(const std::string& file) { folder_.Write(file, "x"); }
  std::string Refusal(std::string_view spec, Errc code = Errc::kNotFound) {
    const auto path = store_.Resolve(spec);
    if (path) return "found " + path->string();
    EXPECT_EQ(path.error().code, code);
    return path.error().what;
  }

  TestFolder folder_;
  Store store_{folder_.path(), SomeModels()};
};

TEST_F(StoreTest, AnEmptyOrAbsentFolderHasNoModels) {
  EXPECT_THAT(store_.Here(), IsEmpty());
  EXPECT_THAT(Store(folder_ / "no/such", SomeModels()).Here(), IsEmpty());
}

TEST_F(StoreTest, OnlyWholeModelFilesCount) {
  Put("whisper-base-F16.gguf.part");
  Put("whisper-base-Q8_0.gguf.import");
  Put("models.lock.aB3dE6");
  Put("readme.txt");
  std::filesystem::create_directory(folder_ / "whisper-base-F32.gguf");
  EXPECT_THAT(store_.Here(), IsEmpty());
}

TEST_F(StoreTest, ThePreferredQuantisationIsTakenWhenNoneIsAsked) {
  for (const char* next : {"F32", "Q4_K_M", "Q6_K", "Q5_K_M", "Q8_0", "F16"}) {
    const std::string file = std::string("whisper-base-") + next + ".gguf";
    Put(file);
    const auto path = store_.Resolve("whisper-base");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->filename(), file);
  }
  const auto asked = store_.Resolve("whisper-base:q4_k_m");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->filename(), "whisper-base-Q4_K_M.gguf");
}

TEST_F(StoreTest, RefusalsSayWhatToDo) {
  EXPECT_EQ(Refusal("whisper-base"),
            "whisper-base is not here yet; get it with: headroom models pull whisper-base");
  Put("whisper-base-F16.gguf");
  EXPECT_EQ(
      Refusal("whisper-base:Q8_0"),
      "whisper-base is here only as F16; get it with: headroom models pull whisper-base:Q8_0");
  EXPECT_EQ(Refusal("whisper-bsae"), "no model is called whisper-bsae; near to it: whisper-base");
  EXPECT_THAT(Refusal("zzz"), HasSubstr("'headroom models list' shows them all"));
  EXPECT_EQ(Refusal("canary-500m", Errc::kUnsupported),
            "canary-500m was never published; the nearest that was is whisper-base: headroom "
            "models pull whisper-base");
  EXPECT_EQ(Refusal("./no-such.gguf"), "./no-such.gguf: no such file");
  EXPECT_THAT(Refusal(folder_.path().string(), Errc::kInvalid), HasSubstr("is a folder"));
  EXPECT_THAT(Refusal("whisper base", Errc::kInvalid), HasSubstr("is not a model's name"));
}

TEST_F(StoreTest, APathIsTakenAsItIs) {
  Put("anything.bin");
  const auto path = store_.Resolve((folder_ / "anything.bin").string());
  ASSERT_TRUE(path);
  EXPECT_EQ(*path, folder_ / "anything.bin");
}

TEST_F(StoreTest, ImportedModelsHaveNamesToo) {
  Put("my-own-F16.gguf");
  EXPECT_TRUE(store_.Resolve("my-own"));
  EXPECT_THAT(Refusal("my-own:Q8_0"), HasSubstr("here only as F16"));
  EXPECT_THAT(Refusal("my-won"), HasSubstr("near to it: my-own"));
}

TEST_F(StoreTest, ForCpuTakesTheFastestThatIsAsAccurate) {
  const auto catalogue = ParseCatalogue(
      "defaults = [\"m\"]\nvad = \"m\"\n[[model]]\nname = \"m\"\nfamily = \"whisper\"\n"
      "repository = \"o/n\"\ndefault = \"Q8_0\"\nfiles = [{ quantisation = \"F16\", wer = 5.00 }, "
      "{ quantisation = \"Q8_0\", wer = 5.05 }, { quantisation = \"Q4_K_M\", wer = 6.0 }]\n",
      "c");
  ASSERT_TRUE(catalogue) << catalogue.error().what;
  const Store store(folder_.path(), *catalogue);
  const auto chosen = [&](std::vector<std::string_view> fastest) {
    return store.ForCpu("m", fastest)->spec.quantisation;
  };
  EXPECT_FALSE(store.ForCpu("m", kFastest));
  for (const char* file : {"m-F16.gguf", "m-Q8_0.gguf", "m-Q4_K_M.gguf"}) Put(file);
  EXPECT_EQ(chosen({"Q8_0", "F16"}), "Q8_0");
  EXPECT_EQ(chosen({"F16", "Q8_0"}), "F16");
  EXPECT_EQ(chosen({"Q4_K_M", "Q8_0"}), "Q8_0");
}

TEST_F(StoreTest, TheDefaultIsTheFirstThatIsHere) {
  const auto none = store_.ResolveDefault(kFastest);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what,
            "no model is here yet; get one with: headroom models pull whisper-base");
  Put("whisper-tiny.en-Q8_0.gguf");
  ASSERT_TRUE(store_.ResolveDefault(kFastest));
  EXPECT_EQ(store_.ResolveDefault(kFastest)->filename(), "whisper-tiny.en-Q8_0.gguf");
  Put("whisper-base-Q4_K_M.gguf");
  EXPECT_EQ(store_.ResolveDefault(kFastest)->filename(), "whisper-base-Q4_K_M.gguf");
}

TEST_F(StoreTest, TheVoiceModelSaysHowToGetIt) {
  const auto none = store_.ResolveVad();
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, HasSubstr("headroom models pull silero"));
  Put("silero-F32.gguf");
  EXPECT_TRUE(store_.ResolveVad());
}

TEST_F(StoreTest, RemoveTakesPartsAndEntryToo) {
  const ModelSpec spec{"whisper-base", "F16"};
  for (const char* leftover : {"", ".part", ".part.json", ".import", ".bundle"})
    Put(StoreFileName(spec) + leftover);
  Put("whisper-base-Q8_0.gguf");
  ASSERT_TRUE(store_.Record(spec, std::string(64, 'a'), "test"));
  ASSERT_TRUE(store_.Remove(spec));
  EXPECT_THAT(folder_.Files(), ElementsAre("models.lock", "whisper-base-Q8_0.gguf"));
  EXPECT_THAT(store_.ReadLock()->entries, IsEmpty());
  const auto again = store_.Remove(spec);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kNotFound);
}

TEST_F(StoreTest, ADamagedLockFileIsNotOverwritten) {
  folder_.Write("models.lock", "format = 1\n[[file]]\nname = ");
  Put("whisper-base-F16.gguf");
  EXPECT_TRUE(store_.Resolve("whisper-base"));  // using a model needs no lock file
  const auto recorded = store_.Record({"whisper-base", "F16"}, std::string(64, 'a'), "test");
  ASSERT_FALSE(recorded);
  EXPECT_EQ(recorded.error().code, Errc::kCorrupt);
  EXPECT_EQ(ReadAll(folder_ / "models.lock"), "format = 1\n[[file]]\nname = ");
}

TEST_F(StoreTest, TwoWritersTakeTurnsAndWaitingCanBeStopped) {
  auto first = store_.LockModel("m", nullptr);
  ASSERT_TRUE(first);
  EXPECT_TRUE(store_.LockModel("other", nullptr));
  CancelToken cancel;
  bool waited = false;
  const auto second = store_.LockModel("m", &cancel, [&] {
    waited = true;
    cancel.Raise();
  });
  EXPECT_TRUE(waited);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kCancelled);
}

TEST_F(StoreTest, EntriesWrittenAtOnceAllStay) {
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    Put(fmt::format("m{}-F16.gguf", i));
    writers.emplace_back([this, i] {
      EXPECT_TRUE(store_.Record({fmt::format("m{}", i), "F16"}, std::string(64, 'a'), "test"));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(store_.ReadLock()->entries.size(), 8u);
}

TEST_F(StoreTest, AFolderThatCannotBeWrittenIsSaid) {
  const Store store("/sys/headroom-models", SomeModels());
  const auto prepared = store.Prepare();
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, Errc::kPermission) << prepared.error().what;
}

}  // namespace
}  // namespace headroom::models
