#include "models/formats/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "models/formats/gguf_writer.h"
#include "models/formats/inspect_source.h"
#include "models/testing/import_damage.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string Says(const std::string& bytes) {
  const auto header = InspectSource(SourceOf(bytes));
  return header ? "a model" : header.error().what;
}

TEST(Inspect, DescribesGguf) {
  const std::string file = TinyGguf();
  const auto header = InspectSource(SourceOf(file));
  ASSERT_TRUE(header) << header.error().what;
  EXPECT_EQ(Name(header->format), "GGUF");
  EXPECT_EQ(header->architecture, "whisper");
  EXPECT_EQ(header->variant, "whisper-test");
  EXPECT_EQ(header->quantisation, "F16");
  EXPECT_EQ(header->tensors, 3);
  EXPECT_EQ(header->parameters, 6 + 5 + 64);
  EXPECT_EQ(header->size.n, static_cast<std::int64_t>(file.size()));
  EXPECT_EQ(header->languages, (std::vector<std::string>{"en", "de"}));
}

TEST(Inspect, DescribesWhisperBin) {
  const std::string file = TinyWhisperBin();
  const auto header = InspectSource(SourceOf(file));
  ASSERT_TRUE(header) << header.error().what;
  EXPECT_EQ(Name(header->format), "whisper.cpp .bin");
  EXPECT_EQ(header->architecture, "whisper");
  EXPECT_EQ(header->variant, "whisper.en");
  EXPECT_EQ(header->quantisation, "F16");
  EXPECT_EQ(header->languages, (std::vector<std::string>{"en"}));
}

TEST(Inspect, RefusesEveryCut) {
  std::string file = TinyGguf();
  file.resize(static_cast<std::size_t>(ReadGgufHeader(SourceOf(file))->end));
  for (std::size_t length = 0; length < file.size(); ++length) {
    const std::string cut = file.substr(0, length);
    const auto header = InspectSource(SourceOf(cut));
    ASSERT_FALSE(header) << length;
    ASSERT_EQ(header.error().code, Errc::kCorrupt) << length << header.error().what;
  }
}

TEST(Inspect, FallsBackToTheCommonestType) {
  std::vector<GgufTensor> tensors(1);
  tensors[0] = {.name = "t", .rank = 1, .ne = {256, 1, 1, 1}, .type = GgmlType{12}};
  GgufKeys keys;
  keys.SetText("general.architecture", "x");
  const std::string file = EncodeGgufHeader(keys, tensors) + std::string(160, '\0');
  EXPECT_EQ(InspectSource(SourceOf(file))->quantisation, "Q4_K");
}

TEST(Inspect, ShowsNoControlCharacters) {
  std::vector<GgufTensor> tensors(1);
  tensors[0] = {.name = "t", .rank = 1, .ne = {8, 1, 1, 1}, .type = GgmlType::kF32};
  GgufKeys keys;
  keys.SetText("general.architecture", "x\x1b[31m");
  const std::string file = EncodeGgufHeader(keys, tensors) + std::string(32, '\0');
  EXPECT_EQ(InspectSource(SourceOf(file))->architecture, "x [31m");
}

TEST(Inspect, SaysWhatOtherFilesAre) {
  EXPECT_THAT(Says(""), HasSubstr("the file is empty"));
  EXPECT_THAT(Says("GG"), HasSubstr("the file is cut: 2 bytes"));
  EXPECT_THAT(Says("\n<!DOCTYPE HTML><title>404</title>"), HasSubstr("a web page"));
  EXPECT_THAT(Says("version https://git-lfs.github.com/spec/v1\noid sha256:00"),
              HasSubstr("a git-lfs pointer"));
  EXPECT_THAT(Says("PK\x03\x04 and more"), HasSubstr("a zip archive"));
  EXPECT_THAT(Says("\x80\x02}q\x01"), HasSubstr("a Python pickle"));
  EXPECT_THAT(Says("{\"error\": \"not found\"}"), HasSubstr("JSON text"));
  EXPECT_THAT(Says("\x1f\x8b\x08"), HasSubstr("an archive or a compressed file"));
  EXPECT_THAT(Says(std::string(600, '\0')), HasSubstr("nothing but zeros"));
  EXPECT_THAT(Says("hello, I am a text"), HasSubstr("not a model"));
  EXPECT_THAT(Says(TinySafetensors()), HasSubstr("a .safetensors file: import it"));
  EXPECT_THAT(Says(EncodeCt2(TinyWhisper(0, 10))),
              HasSubstr("a CTranslate2 model: import its folder"));
  GgufKeys none;
  EXPECT_THAT(Says(EncodeGgufHeader(none, {})), HasSubstr("does not say its architecture"));
}

TEST(Inspect, OpensOnlyFiles) {
  const fs::path folder = fs::path(testing::TempDir()) / "inspect";
  fs::remove_all(folder);
  fs::create_directories(folder / "ct2");
  std::ofstream(folder / "ct2/model.bin") << "x";
  EXPECT_EQ(Inspect(folder / "nothing").error().code, Errc::kNotFound);
  EXPECT_EQ(Inspect(folder).error().code, Errc::kInvalid);
  EXPECT_THAT(Inspect(folder / "ct2").error().what, HasSubstr("a CTranslate2 folder: import it"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(Inspect(folder / "pipe").error().code, Errc::kInvalid);
  EXPECT_EQ(Inspect("/dev/zero").error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace headroom::models
