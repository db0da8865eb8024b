#include "models/formats/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "models/formats/gguf_writer.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// One matrix of 64 x 32 in F32.
std::string Model(const std::string& architecture, std::uint32_t file_type = 0) {
  GgufKeys keys;
  keys.SetText("general.architecture", architecture);
  keys.SetUnsigned("general.file_type", file_type);
  std::vector<GgufTensor> tensors(1);
  tensors[0] = {.name = "enc.blocks.0.attn.q.weight",
                .rank = 2,
                .ne = {64, 32, 1, 1},
                .type = GgmlType::kF32};
  return EncodeGgufHeader(keys, tensors) + std::string(64 * 32 * 4, '\0');
}

class Quantizing : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / "quantize" / info->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "bin");
    std::ofstream(in(), std::ios::binary) << Model("whisper");
  }
  // Puts a shell script in the quantiser's place.
  void Fake(const std::string& script) {
    std::ofstream(folder_ / "bin/headroom-quantize") << "#!/bin/sh\n" << script << "\n";
    ::chmod((folder_ / "bin/headroom-quantize").c_str(), 0755);
    if (!saved_) saved_ = getenv("HEADROOM_LIBEXEC") ? getenv("HEADROOM_LIBEXEC") : "";
    ::setenv("HEADROOM_LIBEXEC", (folder_ / "bin").c_str(), 1);
  }
  void TearDown() override {
    if (saved_) ::setenv("HEADROOM_LIBEXEC", saved_->c_str(), 1);
  }
  std::ptrdiff_t FilesOut() const {
    return std::distance(fs::directory_iterator(folder_ / "out"), fs::directory_iterator());
  }
  Result<ModelHeader> Run(std::string_view preset = "Q8_0", CancelToken* cancel = nullptr) {
    return Quantize(in(), out(), preset, {}, cancel);
  }

  fs::path in() const { return folder_ / "-in.gguf"; }
  fs::path out() const { return folder_ / "out/out.gguf"; }
  fs::path folder_;
  std::optional<std::string> saved_;  // HEADROOM_LIBEXEC before Fake
};

TEST_F(Quantizing, MakesAllPresets) {
  for (const char* preset : {"Q8_0", "q6_k", "Q5_K_M", "Q4_K_M"}) {
    const auto header = Run(preset);
    ASSERT_TRUE(header) << header.error().what;
    EXPECT_EQ(header->tensors, 1);
    EXPECT_EQ(header->parameters, 64 * 32);
    EXPECT_LT(header->size.n, 64 * 32 * 4);
  }
  EXPECT_EQ(Inspect(out())->quantisation, "Q4_K_M");
  EXPECT_EQ(FilesOut(), 1);
}

TEST_F(Quantizing, RefusesWhatItCannotDo) {
  EXPECT_EQ(Run("Q3_K").error().code, Errc::kInvalid);
  EXPECT_EQ(Run("").error().code, Errc::kInvalid);
  std::ofstream(in(), std::ios::binary) << Model("whisper", 7);
  EXPECT_THAT(Run().error().what, HasSubstr("is Q8_0 already"));
  std::ofstream(in(), std::ios::binary) << Model("silero_vad");
  EXPECT_EQ(Run().error().code, Errc::kUnsupported);
  std::ofstream(in(), std::ios::binary) << TinyWhisperBin();
  EXPECT_THAT(Run().error().what, HasSubstr("only GGUF models can be quantised"));
  std::ofstream(in(), std::ios::binary) << Model("whisper").substr(0, 200);
  EXPECT_EQ(Run().error().code, Errc::kCorrupt);
  fs::remove(in());
  EXPECT_EQ(Run().error().code, Errc::kNotFound);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(Quantizing, SaysWhyTheQuantiserFailed) {
  Fake("echo something >&2; echo 'no such tensor' >&2; exit 3");
  const auto failed = Run();
  EXPECT_EQ(failed.error().code, Errc::kIo);
  EXPECT_THAT(failed.error().what, HasSubstr("the quantiser exited with 3: no such tensor"));
  Fake("kill -9 $$");
  EXPECT_EQ(Run().error().code, Errc::kNoMemory);
  EXPECT_EQ(FilesOut(), 0);
}

TEST_F(Quantizing, ChecksWhatTheQuantiserWrote) {
  Fake("cp \"$1\" \"$2\"");  // not quantised at all
  EXPECT_THAT(Run().error().what, HasSubstr("the quantiser wrote 1 tensors as F32"));
  Fake("head -c 300 \"$1\" > \"$2\"");
  EXPECT_EQ(Run().error().code, Errc::kCorrupt);
  Fake("exit 0");
  EXPECT_EQ(Run().error().code, Errc::kCorrupt);
  EXPECT_EQ(FilesOut(), 0);
}

TEST_F(Quantizing, IsKilledWhenAsked) {
  Fake("sleep 60");
  CancelToken cancel;
  cancel.Raise();
  EXPECT_EQ(Run("Q8_0", &cancel).error().code, Errc::kCancelled);
  EXPECT_EQ(FilesOut(), 0);
}

}  // namespace
}  // namespace headroom::models
