#include "models/formats/whisper_bin.h"

#include <gtest/gtest.h>

#include "models/testing/import_damage.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

constexpr std::size_t kMelsAt = 48;  // after the magic and 11 numbers
constexpr std::size_t kTokensAt = kMelsAt + 8 + 80 * 201 * 4;

std::string With(std::size_t at, std::int32_t value) {
  std::string file = TinyWhisperBin();
  std::memcpy(file.data() + at, &value, sizeof value);
  return file;
}

Errc CodeOf(const std::string& file) {
  const auto read = ReadWhisperBinHeader(SourceOf(file));
  return read ? Errc::kInternal : read.error().code;
}

TEST(WhisperBin, ReadsHeaderAndTensors) {
  const std::string file = TinyWhisperBin();
  const auto header = ReadWhisperBinHeader(SourceOf(file));
  ASSERT_TRUE(header) << header.error().what;
  EXPECT_EQ(header->vocabulary, 51864);
  EXPECT_EQ(header->text_positions, 3);
  EXPECT_EQ(header->mels, 80);
  ASSERT_EQ(header->tensors.size(), 50U);
  EXPECT_EQ(header->tensors[1].name, "tensor.1");
  EXPECT_EQ(header->tensors[1].bytes, 12);
  EXPECT_EQ(header->tensors.back().offset + header->tensors.back().bytes,
            static_cast<std::int64_t>(file.size()));
}

TEST(WhisperBin, IsRefusedWhenCutAnywhereEvenBetweenTensors) {
  const std::string file = TinyWhisperBin();
  // The mel filters are 64 KB in which nothing is read.
  RefusesEveryCut(file.substr(0), ReadWhisperBinHeader, 61);
  for (std::size_t length = kTokensAt; length < file.size(); ++length) {
    const std::string cut = file.substr(0, length);
    const auto read = ReadWhisperBinHeader(SourceOf(cut));
    ASSERT_FALSE(read) << length;
    ASSERT_EQ(read.error().code, Errc::kCorrupt);
    ASSERT_NE(read.error().what.find(std::to_string(length)), std::string::npos)
        << read.error().what;
  }
}

TEST(WhisperBin, SurvivesDamage) {
  const std::string file = TinyWhisperBin();
  // Everything but the inside of the mel filters.
  for (std::size_t at = 0; at < file.size(); at = at == kMelsAt + 8 ? kTokensAt : at + 1) {
    for (const int with : {0x01, 0x80, 0xff}) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ with);
      const auto read = ReadWhisperBinHeader(SourceOf(damaged));
      if (read) continue;
      ASSERT_NE(read.error().code, Errc::kInternal);
    }
  }
}

TEST(WhisperBin, RefusesWhatMakesNoSense) {
  EXPECT_EQ(CodeOf(With(0, 0x12345678)), Errc::kInvalid);
  EXPECT_EQ(CodeOf(With(4, 1000)), Errc::kUnsupported);      // vocabulary
  EXPECT_EQ(CodeOf(With(20, 1 << 30)), Errc::kUnsupported);  // layers
  EXPECT_EQ(CodeOf(With(16, 0)), Errc::kUnsupported);        // heads
  EXPECT_EQ(CodeOf(With(kMelsAt, 128)), Errc::kCorrupt);     // filters of another model
  EXPECT_EQ(CodeOf(With(kMelsAt + 4, 1 << 30)), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(With(kTokensAt, -1)), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(With(kTokensAt, 1 << 30)), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(With(kTokensAt + 4, -1)), Errc::kCorrupt);  // a token's length
  const std::size_t tensor = kTokensAt + 4 + 5 + 6;
  EXPECT_EQ(CodeOf(With(tensor, 5)), Errc::kCorrupt);      // rank
  EXPECT_EQ(CodeOf(With(tensor + 4, 0)), Errc::kCorrupt);  // name
  EXPECT_EQ(CodeOf(With(tensor + 4, 1 << 30)), Errc::kCorrupt);
  EXPECT_EQ(CodeOf(With(tensor + 8, 4)), Errc::kCorrupt);    // type
  EXPECT_EQ(CodeOf(With(tensor + 12, -3)), Errc::kCorrupt);  // shape
  EXPECT_EQ(CodeOf(With(tensor + 12, 0x7fffffff)), Errc::kCorrupt);
}

TEST(WhisperBin, RefusesATensorNameTwice) {
  std::string file = TinyWhisperBin();
  file.replace(file.find("tensor.1"), 8, "tensor.0");
  EXPECT_EQ(ReadWhisperBinHeader(SourceOf(file)).error().what,
            "two tensors are called \"tensor.0\"");
}

}  // namespace
}  // namespace headroom::models
