#include "models/formats/skeleton.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "base/testing/temp_folder.h"
#include "models/formats/import_source.h"
#include "models/formats/quantize.h"
#include "models/formats/skeleton_types.h"
#include "models/store/catalogue.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;

class Skeletons : public testing::Test {
 protected:
  static Catalogue Published() {
    auto text = ReadFile(fs::path(HEADROOM_MODELS_DIR) / "catalogue.toml");
    return *ParseCatalogue(*text, "catalogue.toml");
  }
  static GgufHeader HeaderOf(const fs::path& path) {
    auto source = FileSource::Open(path);
    EXPECT_TRUE(source);
    auto header = ReadGgufHeader(*source);
    EXPECT_TRUE(header) << header.error().what;
    return std::move(*header);
  }
  // Names, shapes, types, and places from where the data begins.
  static std::vector<std::string> Lines(const std::vector<GgufTensor>& tensors) {
    std::vector<std::string> lines;
    for (const GgufTensor& tensor : tensors)
      lines.push_back(fmt::format("{} {} ({}) at {} bytes {}", tensor.name,
                                  static_cast<int>(tensor.type), fmt::join(tensor.ne, ","),
                                  tensor.offset - tensors.front().offset, tensor.bytes));
    return lines;
  }
  static Skeleton Make(std::string_view model, std::string_view quantisation) {
    auto skeleton = MakeSkeleton(model, quantisation);
    EXPECT_TRUE(skeleton) << skeleton.error().what;
    return std::move(*skeleton);
  }

  const TempFolder folder_;
};

TEST_F(Skeletons, AreAsLargeAsThePublishedFiles) {
  int compared = 0;
  for (const Model& model : Published().models) {
    if (!HasSkeleton(model.name)) continue;
    for (const PublishedFile& file : model.files) {
      const Skeleton skeleton = Make(model.name, file.quantisation);
      // Published with at most three digits, and not always rounded in the same way; a placeholder
      // vocabulary is up to 1 MB shorter than the real one.
      const auto published = static_cast<double>(file.size.n);
      const double digit = std::max(1e6, std::pow(10, std::floor(std::log10(published)) - 2));
      EXPECT_NEAR(static_cast<double>(skeleton.size.n), published, 0.7 * digit)
          << model.name << " " << file.quantisation;
      ++compared;
    }
  }
  EXPECT_GE(compared, 70);
}

TEST_F(Skeletons, HaveTheTypesThatTheQuantiserChooses) {
  for (const char* model : {"whisper-tiny.en", "canary-180m-flash", "parakeet-tdt_ctc-110m"}) {
    const Skeleton from = Make(model, "F16");
    ASSERT_TRUE(WriteSkeleton(from, folder_ / "in.gguf"));
    for (const char* preset : {"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"}) {
      if (model != std::string_view("whisper-tiny.en") && preset != std::string_view("Q5_K_M"))
        continue;  // half a gigabyte each
      const auto made = Quantize(folder_ / "in.gguf", folder_ / "out.gguf", preset, {}, nullptr);
      ASSERT_TRUE(made) << made.error().what;
      const Skeleton skeleton = Make(model, preset);
      EXPECT_EQ(Lines(skeleton.tensors), Lines(HeaderOf(folder_ / "out.gguf").tensors)) << preset;
      EXPECT_EQ(skeleton.size, made->size) << model << " " << preset;
    }
  }
}

// The models that ./test fetches: imported F16 files with real weights.
TEST_F(Skeletons, AreTheImportedModels) {
  const char* models = std::getenv("HEADROOM_TEST_MODELS");
  if (models == nullptr || *models == '\0') GTEST_SKIP() << "HEADROOM_TEST_MODELS is not set";
  for (const char* model : {"whisper-tiny.en", "whisper-base"}) {
    const fs::path path = fs::path(models) / (std::string(model) + "-F16.gguf");
    const GgufHeader imported = HeaderOf(path);
    const Skeleton skeleton = Make(model, "F16");
    EXPECT_EQ(Lines(skeleton.tensors), Lines(imported.tensors));
    ASSERT_TRUE(WriteSkeleton(skeleton, folder_ / "skeleton.gguf"));
    const GgufHeader ours = HeaderOf(folder_ / "skeleton.gguf");
    for (const auto& [key, value] : imported.values) EXPECT_TRUE(ours.values.contains(key)) << key;
    EXPECT_EQ(ours.Texts("general.languages"), imported.Texts("general.languages"));
    EXPECT_EQ(ours.Unsigned("stt.whisper.no_timestamps_token_id"),
              imported.Unsigned("stt.whisper.no_timestamps_token_id"));
    const auto quantised = Quantize(path, folder_ / "q.gguf", "Q8_0", {}, nullptr);
    ASSERT_TRUE(quantised) << quantised.error().what;
    EXPECT_EQ(Lines(Make(model, "Q8_0").tensors), Lines(HeaderOf(folder_ / "q.gguf").tensors));
  }
}

TEST_F(Skeletons, AreSparseFilesThatTheReaderAccepts) {
  for (const Model& model : Published().models) {
    if (!HasSkeleton(model.name)) continue;
    const Skeleton skeleton = Make(model.name, "Q5_K_M");
    const fs::path path = folder_ / "model.gguf";
    ASSERT_TRUE(WriteSkeleton(skeleton, path));
    const auto header = Inspect(path);
    ASSERT_TRUE(header) << header.error().what;
    EXPECT_EQ(header->variant, model.name);
    EXPECT_EQ(header->architecture, model.family);
    EXPECT_EQ(header->quantisation, "Q5_K_M");
    EXPECT_EQ(header->size, skeleton.size);
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_LT(status.st_blocks * 512, 4 << 20);
    if (model.family == "whisper") continue;  // see AreTheImportedModels
    EXPECT_THAT(HeaderOf(path).Texts("general.languages"),
                testing::UnorderedElementsAreArray(model.languages))
        << model.name;
  }
}

TEST_F(Skeletons, AreMadeOnlyOfWhatIsKnown) {
  EXPECT_EQ(MakeSkeleton("whisper-huge", "F16").error().code, Errc::kNotFound);
  EXPECT_EQ(MakeSkeleton("whisper-base", "Q3_K").error().code, Errc::kInvalid);
  EXPECT_FALSE(HasSkeleton("canary-500m"));
  EXPECT_TRUE(HasSkeleton("whisper-large-v3-turbo"));
  EXPECT_EQ(WriteSkeleton(Make("whisper-tiny", "Q8_0"), folder_ / "no/such").error().code,
            Errc::kNotFound);
}

}  // namespace
}  // namespace headroom::models
