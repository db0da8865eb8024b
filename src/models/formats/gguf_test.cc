#include "models/formats/gguf.h"

#include <gtest/gtest.h>

#include "models/formats/gguf_writer.h"
#include "models/testing/import_damage.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

Result<GgufHeader> Read(const std::string& bytes) {
  return ReadGgufHeader(SourceOf(bytes));
}

// Magic, version 3 and these counts; more is appended by the caller.
std::string Start(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  std::string file = "GGUF";
  Put(file, version);
  Put(file, tensors);
  Put(file, keys);
  return file;
}

void PutText64(std::string& to, const std::string& text) {
  Put(to, static_cast<std::uint64_t>(text.size()));
  to += text;
}

std::string OneTensor(const std::string& name, std::uint32_t type, std::vector<std::int64_t> ne,
                      std::int64_t offset = 0) {
  std::string file = Start(1, 0);
  PutText64(file, name);
  Put(file, static_cast<std::uint32_t>(ne.size()));
  for (const std::int64_t n : ne) Put(file, n);
  Put(file, type);
  Put(file, offset);
  file.append(64 * 1024, '\0');
  return file;
}

TEST(Gguf, ReadsWhatTheWriterWrote) {
  const std::string file = TinyGguf();
  const auto header = Read(file);
  ASSERT_TRUE(header) << header.error().what;
  EXPECT_EQ(header->Text("general.architecture"), "whisper");
  EXPECT_EQ(header->Unsigned("general.file_type"), 1U);
  EXPECT_EQ(std::get<double>(header->values.at("some.number")), 0.5);
  EXPECT_EQ(std::get<bool>(header->values.at("some.flag")), true);
  EXPECT_EQ(header->Texts("general.languages"), (std::vector<std::string>{"en", "de"}));
  EXPECT_FALSE(header->values.contains("some.numbers"));
  ASSERT_EQ(header->tensors.size(), 3U);
  EXPECT_EQ(header->tensors[0].bytes, 24);
  EXPECT_EQ(header->tensors[1].bytes, 10);
  EXPECT_EQ(header->tensors[2].bytes, 68);
  EXPECT_EQ(header->tensors[2].elements(), 64);
  EXPECT_EQ(header->tensors[0].offset, header->data_offset);
  EXPECT_EQ(header->tensors[2].offset, header->data_offset + 64);
  EXPECT_EQ(header->data_offset % 32, 0);
  EXPECT_EQ(file[static_cast<std::size_t>(header->data_offset)], '\x01');
}

TEST(Gguf, IsLaidOutByteForByte) {
  GgufKeys keys;
  keys.SetText("k", "v");
  std::vector<GgufTensor> tensors(1);
  tensors[0] = {.name = "t", .rank = 1, .ne = {2, 1, 1, 1}, .type = GgmlType::kF32};
  std::string expected = Start(1, 1);
  PutText64(expected, "k");
  Put(expected, std::uint32_t{8});
  PutText64(expected, "v");
  PutText64(expected, "t");
  Put(expected, std::uint32_t{1});
  Put(expected, std::int64_t{2});
  Put(expected, std::uint32_t{0});
  Put(expected, std::uint64_t{0});
  expected.resize((expected.size() + 31) / 32 * 32);
  EXPECT_EQ(EncodeGgufHeader(keys, tensors), expected);
}

TEST(Gguf, ACutFileIsRefusedAtEveryLength) {
  std::string file = TinyGguf();
  file.resize(static_cast<std::size_t>(Read(file)->end));  // without the padding, which may miss
  RefusesEveryCut(file, ReadGgufHeader);
}

TEST(Gguf, SaysBothSizesOfACutFile) {
  std::string file = TinyGguf();
  const auto end = static_cast<std::size_t>(Read(file)->end);
  const auto cut = Read(file.substr(0, end - 1));
  EXPECT_EQ(cut.error().what,
            fmt::format("the file is cut: {} bytes are there, {} should be", end - 1, end));
}

TEST(Gguf, SurvivesDamage) {
  SurvivesEveryFlip(TinyGguf(), ReadGgufHeader);
}

TEST(Gguf, KnowsTwoVersions) {
  EXPECT_TRUE(Read(Start(0, 0, 2)));
  EXPECT_TRUE(Read(Start(0, 0, 3)));
  EXPECT_EQ(Read(Start(0, 0, 1)).error().code, Errc::kUnsupported);
  EXPECT_EQ(Read(Start(0, 0, 4)).error().code, Errc::kUnsupported);
  EXPECT_EQ(Read(Start(0, 0, 0x03000000)).error().what, "a GGUF file for big-endian machines");
  EXPECT_EQ(Read("GGUX....").error().code, Errc::kInvalid);
}

TEST(Gguf, RefusesAbsurdCounts) {
  for (const std::uint64_t absurd :
       {std::uint64_t{1} << 20, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    EXPECT_EQ(Read(Start(absurd, 0)).error().code, Errc::kCorrupt);
    EXPECT_EQ(Read(Start(0, absurd)).error().code, Errc::kCorrupt);
    std::string key = Start(0, 1);
    Put(key, absurd);
    EXPECT_EQ(Read(key).error().code, Errc::kCorrupt);
    for (const std::uint32_t type : {0U, 4U, 8U, 12U}) {
      std::string array = Start(0, 1);
      PutText64(array, "k");
      Put(array, std::uint32_t{9});
      Put(array, type);
      Put(array, absurd);
      EXPECT_EQ(Read(array).error().code, Errc::kCorrupt);
    }
  }
}

TEST(Gguf, RefusesNestedArraysAndUnknownTypes) {
  for (const std::uint32_t type : {9U, 13U, 0xffffffffU}) {
    std::string array = Start(0, 1);
    PutText64(array, "k");
    Put(array, std::uint32_t{9});
    Put(array, type);
    Put(array, std::uint64_t{1});
    Put(array, std::uint64_t{1});
    EXPECT_EQ(Read(array).error().code, Errc::kCorrupt);
    std::string scalar = Start(0, 1);
    PutText64(scalar, "k");
    Put(scalar, type == 9 ? 14U : type);
    scalar.append(64, '\0');
    EXPECT_EQ(Read(scalar).error().code, Errc::kCorrupt);
  }
}

TEST(Gguf, RefusesAKeyTwice) {
  GgufKeys keys;
  keys.SetBool("k", true);
  keys.SetBool("k", true);
  EXPECT_EQ(Read(EncodeGgufHeader(keys, {})).error().what, "the key k is there twice");
}

TEST(Gguf, RefusesATensorNameTwice) {
  std::vector<GgufTensor> tensors(2);
  tensors[0] = tensors[1] = {.name = "t", .rank = 1, .ne = {8, 1, 1, 1}, .type = GgmlType::kF32};
  const std::string file = EncodeGgufHeader({}, tensors) + std::string(64, '\0');
  EXPECT_EQ(Read(file).error().what, "two tensors are called \"t\"");
}

TEST(Gguf, RefusesImpossibleTensors) {
  EXPECT_TRUE(Read(OneTensor("t", 0, {8, 2})));
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  for (const std::vector<std::int64_t>& ne : {std::vector<std::int64_t>{-1},
                                              {0},
                                              {8, -2},
                                              {kHuge, kHuge},
                                              {1 << 30, 1 << 30, 1 << 30, 4}})
    EXPECT_EQ(Read(OneTensor("t", 0, ne)).error().code, Errc::kCorrupt);
  EXPECT_EQ(Read(OneTensor("t", 0, {1, 1, 1, 1, 1})).error().code, Errc::kCorrupt);
  EXPECT_EQ(Read(OneTensor("t", 8, {33})).error().code, Errc::kCorrupt);  // no whole blocks
  for (const std::uint32_t type : {4U, 5U, 31U, 43U, 0xffffffffU})
    EXPECT_EQ(Read(OneTensor("t", type, {32})).error().code, Errc::kCorrupt);
  EXPECT_EQ(Read(OneTensor(std::string(64, 'x'), 0, {8})).error().code, Errc::kCorrupt);
}

TEST(Gguf, RefusesTensorsThatOverlapOrLieElsewhere) {
  for (const std::int64_t offset :
       {std::int64_t{32}, std::int64_t{7}, std::int64_t{-32}, INT64_MIN})
    EXPECT_EQ(Read(OneTensor("t", 0, {8}, offset)).error().code, Errc::kCorrupt);
}

TEST(Gguf, RefusesOddAlignments) {
  for (const std::uint32_t alignment : {0U, 3U, 0x80000000U}) {
    GgufKeys keys;
    keys.SetUnsigned("general.alignment", alignment);
    EXPECT_EQ(Read(EncodeGgufHeader(keys, {})).error().code, Errc::kCorrupt);
  }
  GgufKeys text;
  text.SetText("general.alignment", "32");
  EXPECT_EQ(Read(EncodeGgufHeader(text, {})).error().code, Errc::kCorrupt);
}

TEST(Gguf, TensorBytesCountsBlocks) {
  EXPECT_EQ(TensorBytes(GgmlType::kQ8_0, {64, 3, 1, 1}), 204);
  EXPECT_EQ(TensorBytes(GgmlType{12}, {256, 2, 1, 1}), 288);
  EXPECT_EQ(TensorBytes(GgmlType{12}, {128, 2, 1, 1}), std::nullopt);
}

}  // namespace
}  // namespace headroom::models
