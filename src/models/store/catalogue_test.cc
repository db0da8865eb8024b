#include "models/store/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/file.h"
#include "models/store/names.h"

namespace headroom::models {
namespace {

using testing::HasSubstr;

Catalogue Shipped() {
  const auto text = ReadFile(HEADROOM_MODELS_DIR "/catalogue.toml");
  EXPECT_TRUE(text);
  auto catalogue = ParseCatalogue(*text, "catalogue.toml");
  EXPECT_TRUE(catalogue) << catalogue.error().what;
  return catalogue ? *catalogue : Catalogue{};
}

std::string OneModel(const std::string& more) {
  return "[[model]]\nname = \"m\"\nfamily = \"f\"\n" + more;
}

TEST(Catalogue, EveryShippedModelIsSane) {
  const Catalogue catalogue = Shipped();
  EXPECT_EQ(catalogue.models.size(), 28u);
  EXPECT_THAT(catalogue.wer_source, HasSubstr("LibriSpeech test-clean"));
  std::size_t files = 0;
  for (const Model& model : catalogue.models) {
    SCOPED_TRACE(model.name);
    if (!model.published) {
      const Model* nearest = catalogue.Find(model.nearest);
      ASSERT_TRUE(nearest);
      EXPECT_TRUE(nearest->published);
      continue;
    }
    EXPECT_FALSE(model.licence.empty());
    EXPECT_EQ(model.languages.empty(), model.role == "vad");
    EXPECT_EQ(std::set<std::string>(model.languages.begin(), model.languages.end()).size(),
              model.languages.size());
    ASSERT_TRUE(model.FileFor(model.default_quantisation));
    Bytes last = GiB(100);
    for (const PublishedFile& file : model.files) {
      ++files;
      EXPECT_GE(file.size, Bytes(1'000'000));
      EXPECT_LE(file.size, last) << "from wide to narrow";
      last = file.size;
      EXPECT_TRUE(file.file.ends_with("-" + file.quantisation + ".gguf"));
      EXPECT_EQ(file.wer_percent.has_value(), model.role == "speech");
    }
  }
  EXPECT_EQ(files, 134u);
}

TEST(Catalogue, TheDefaultsAndTheirPackagesAreThere) {
  const Catalogue catalogue = Shipped();
  std::vector<std::string> needed = catalogue.defaults;
  needed.push_back(catalogue.vad);
  EXPECT_EQ(needed.size(), 3u);
  for (const std::string& name : needed) {
    SCOPED_TRACE(name);
    const Model* model = catalogue.Find(name);
    ASSERT_TRUE(model);
    ASSERT_TRUE(model->package);
    for (const PackageFile& file : model->package->files) EXPECT_EQ(file.sha256.size(), 64u);
  }
  EXPECT_EQ(catalogue.Find("whisper-base")->package->files[0].parts.size(), 2u);
  for (const std::string& name : catalogue.cpu) EXPECT_TRUE(catalogue.Find(name)) << name;
}

TEST(Catalogue, WhatModelsCanDo) {
  const Catalogue catalogue = Shipped();
  EXPECT_TRUE(catalogue.Find("whisper-base")->HasFeature("translation"));
  EXPECT_FALSE(catalogue.Find("whisper-base.en")->HasFeature("language_detection"));
  EXPECT_FALSE(catalogue.Find("whisper-large-v3-turbo")->HasFeature("translation"));
  EXPECT_FALSE(catalogue.Find("canary-1b-flash")->HasFeature("word_times"));
  EXPECT_TRUE(catalogue.Find("parakeet-tdt-0.6b-v3")->HasFeature("word_times"));
  EXPECT_EQ(catalogue.Find("whisper-tiny")->languages.size(), 99u);
  EXPECT_EQ(catalogue.Find("canary-1b-v2")->languages.size(), 25u);
}

TEST(Catalogue, MistakesAreSaidWithTheirLine) {
  const std::string file = "repository = \"a/b\"\ndefault = \"F16\"\n";
  const std::string good_sum(64, 'a');
  const auto package = [&](const std::string& name, const std::string& sum) {
    return "[model.package]\nquantisation = \"F16\"\n[[model.package.file]]\nname = \"x\"\nbytes = "
           "1\n"
           "sha256 = \"" +
           sum + "\"\nparts = [{ package = \"" + name + "\", member = \"x\" }]\n";
  };
  const struct {
    std::string text, says;
  } cases[] = {
      {"a = = 1", "c:1:"},
      {"\n\nmodel = 3", "c:3: \"model\" has to be a list"},
      {"colour = 1", "unknown key \"colour\""},
      {OneModel(""), "neither \"files\" nor a package"},
      {"[[model]]\nname = \"../m\"\nfamily = \"f\"", "is not a model's name"},
      {"[[model]]\nname = \"m\"", "\"family\" is missing"},
      {OneModel("licens = \"MIT\""), "c:4: unknown key \"licens\""},
      {OneModel(file + "files = [{ quantisation = \"Q9\" }]"), "c:6: \"Q9\" is not a quantisation"},
      {OneModel(file + "files = [{ quantisation = \"F16\", size = \"big\" }]"), "has to be a size"},
      {OneModel(file + "files = [{ quantisation = \"F16\", wer = 200 }]"), "number of percent"},
      {OneModel(file + "files = [{ quantisation = \"F16\", file = \"../x\" }]"), "plain file name"},
      {OneModel(file + "files = [{ quantisation = \"F16\" }, { quantisation = \"F16\" }]"),
       "twice"},
      {OneModel(file + "files = [{ quantisation = \"Q8_0\" }]"), "not among the files"},
      {OneModel("features = [\"magic\"]"), "unknown feature \"magic\""},
      {OneModel("languages = \"martian\""), "has no list \"martian\""},
      {OneModel("languages = [1]"), "list of texts"},
      {OneModel("role = \"king\""), "\"role\" has to be"},
      {OneModel(package("x", good_sum)), "name==version"},
      {OneModel(package("--index-url==1", good_sum)), "name==version"},
      {OneModel(package("x @ file==1", good_sum)), "name==version"},
      {OneModel(package("x==1", "abc")), "64 lower-case hexadecimal"},
  };
  for (const auto& [text, says] : cases) {
    const auto catalogue = ParseCatalogue(text, "c");
    ASSERT_FALSE(catalogue) << text;
    EXPECT_EQ(catalogue.error().code, Errc::kInvalid);
    EXPECT_THAT(catalogue.error().what, HasSubstr(says)) << text;
    EXPECT_THAT(catalogue.error().what, HasSubstr("c:")) << text;
  }
  EXPECT_TRUE(ParseCatalogue(OneModel(package("x==1.0", good_sum)), "c"));
}

TEST(Catalogue, CutAnywhereItIsAnErrorOrASmallerCatalogue) {
  const auto text = ReadFile(HEADROOM_MODELS_DIR "/catalogue.toml");
  ASSERT_TRUE(text);
  for (std::size_t length = 0; length < text->size(); length += 37) {
    const auto cut = ParseCatalogue(text->substr(0, length), "c");
    EXPECT_TRUE(!cut || cut->models.size() <= 28u);
  }
}

TEST(Catalogue, TheUsersEntriesReplaceAndExtend) {
  const auto extra = ParseCatalogue(
      "defaults = [\"mine\"]\n"
      "[[model]]\nname = \"mine\"\nfamily = \"whisper\"\nrepository = \"me/mine\"\n"
      "default = \"F16\"\nfiles = [{ quantisation = \"F16\", file = \"model.gguf\" }]\n"
      "[[model]]\nname = \"whisper-base\"\nfamily = \"whisper\"\nrepository = \"me/base\"\n"
      "default = \"F32\"\nfiles = [{ quantisation = \"F32\" }]\n",
      "models.toml");
  ASSERT_TRUE(extra) << extra.error().what;
  const Catalogue all = Merge(Shipped(), *extra);
  EXPECT_EQ(all.models.size(), 29u);
  EXPECT_EQ(all.Find("whisper-base")->repository, "me/base");
  EXPECT_EQ(all.Find("mine")->files[0].file, "model.gguf");
  EXPECT_EQ(all.Find("whisper-base")->files[0].file, "whisper-base-F32.gguf");
  EXPECT_EQ(all.defaults, std::vector<std::string>{"mine"});
  EXPECT_THAT(all.cpu, testing::IsEmpty()) << "it would go before the user's own";
  EXPECT_EQ(all.vad, "silero-vad-v6.2");
}

TEST(Catalogue, TheListForTheCpuIsReadUnderItsEarlierNameToo) {
  for (const char* key : {"cpu", "processor"}) {
    const auto catalogue = ParseCatalogue(std::string(key) + " = [\"mine\"]\n", "models.toml");
    ASSERT_TRUE(catalogue) << catalogue.error().what;
    EXPECT_EQ(catalogue->cpu, std::vector<std::string>{"mine"}) << key;
  }
}

}  // namespace
}  // namespace headroom::models
