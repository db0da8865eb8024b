// Damaged input ends in sound or in a typed error, within a deadline, and cuts are noticed.
#include <random>

#include "audio/format/format.h"
#include "audio/testing/media_fixture.h"

namespace headroom::audio {
namespace {

Error ErrorOf(const std::string& path) {
  const auto sound = Decode(path);
  EXPECT_FALSE(sound) << path << " gave " << (sound ? sound->samples.size() : 0) << " samples";
  return sound ? Error{} : sound.error();
}

TEST(NotAudio, IsRejectedWithAReason) {
  const TempFolder folder;
  const std::string path = folder / "notes.txt";
  const auto expect = [&](std::string_view bytes, Errc code, std::string_view what) {
    WriteBytes(path, bytes);
    const Error error = ErrorOf(path);
    EXPECT_EQ(Name(error.code), Name(code)) << error.what;
    EXPECT_EQ(error.what, path + ": " + std::string(what));
  };
  expect("", Errc::kCorrupt, "0 bytes");
  expect("Milk, eggs and bread.\n", Errc::kCorrupt, "no audio in it");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "The quick brown fox jumps over the lazy dog.\n";
  expect(text, Errc::kCorrupt, "no audio in it");
  std::string jpeg = "\xFF\xD8\xFF\xE0\x10JFIF";
  for (int i = 0; i < 5000; ++i) jpeg += static_cast<char>(i * 7919 >> 3);
  expect(jpeg, Errc::kCorrupt, "no audio in it");
  expect(std::string(100'000, '\0'), Errc::kCorrupt, "no audio in it");
}

TEST(NotAudio, RandomBytesGiveHardlyAnySamples) {
  const TempFolder folder;
  const std::string path = folder / "random";
  std::mt19937 random(7);
  for (int round = 0; round < 12; ++round) {
    std::string bytes(static_cast<std::size_t>(1) << (6 + round), '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    WriteBytes(path, bytes);
    const auto sound = Decode(path);
    if (sound) continue;  // by chance a few of its bytes are a frame of something
    EXPECT_TRUE(sound.error().code == Errc::kCorrupt || sound.error().code == Errc::kUnsupported)
        << sound.error().what;
  }
}

TEST(CutWav, EveryLengthIsReadAndReported) {
  const TempFolder folder;
  const std::string path = folder / "cut.wav";
  const std::string whole = Wav({}, Sine(1000, 0.5, kSampleRate, 1));
  for (std::size_t length = 1; length < 44; length += 3) {
    WriteBytes(path, std::string_view(whole).substr(0, length));
    EXPECT_EQ(ErrorOf(path).code, Errc::kCorrupt) << length;
  }
  for (const std::size_t length :
       {44u, 45u, 46u, 47u, 1000u, 1001u, 8044u, 16045u, 32042u, 32043u}) {
    WriteBytes(path, std::string_view(whole).substr(0, length));
    const auto sound = Decode(path);
    ASSERT_TRUE(sound) << sound.error().what;
    EXPECT_EQ(sound->samples.size(), (length - 44) / 2) << length;
    EXPECT_TRUE(sound->report.truncated) << length;
    EXPECT_NE(sound->report.detail.find(" s of 1.00 s could be read"), std::string::npos)
        << sound->report.detail;
  }
  WriteBytes(path, whole);
  EXPECT_FALSE(Decode(path)->report.truncated);
  WriteBytes(path, whole + "LIST\4\0\0\0abcd");
  EXPECT_FALSE(Decode(path)->report.truncated);
}

TEST(CutWav, AnUnknownLengthIsNotTruncation) {
  const TempFolder folder;
  const std::string path = folder / "streamed.wav";
  for (const std::uint32_t claimed : {0xFFFFFFFFu, 0x7FFFFFFFu, 0x7FFFF000u}) {
    WriteBytes(path, Wav({.data_bytes = claimed}, Sine(1000, 0.5, kSampleRate, 1)));
    const auto sound = Decode(path);
    ASSERT_TRUE(sound) << sound.error().what;
    EXPECT_EQ(sound->samples.size(), 16000u);
    EXPECT_FALSE(sound->report.truncated) << sound->report.detail;
  }
}

class Cut : public testing::TestWithParam<const char*> {};

TEST_P(Cut, IsReadToItsEndAndReported) {
  const TempFolder folder;
  const std::string path = MakeMedia(folder, GetParam());
  const std::string whole = ReadBytes(path);
  for (const double part : {0.6, 0.75, 0.97}) {
    const auto length = static_cast<std::size_t>(static_cast<double>(whole.size()) * part);
    WriteBytes(path, std::string_view(whole).substr(0, length));
    const auto sound = Decode(path);
    ASSERT_TRUE(sound) << sound.error().what;
    const double seconds = static_cast<double>(sound->samples.size()) / kSampleRate;
    EXPECT_GT(seconds, 3 * part - 1.3) << "an Ogg page holds up to a second";
    EXPECT_LT(seconds, 3.05);
    EXPECT_TRUE(sound->report.truncated) << part;
    EXPECT_NE(sound->report.detail.find("could be read"), std::string::npos);
    EXPECT_GT(LevelAt(1000, sound->samples), 0.4) << "the rest is no sine any more";
  }
}

INSTANTIATE_TEST_SUITE_P(All, Cut,
                         testing::Values("mp3", "flac", "ogg", "opus", "fast.m4a", "webm", "wav"),
                         NameOfKind);

TEST(CutM4a, WithoutItsIndexIsUnreadable) {
  const TempFolder folder;
  const std::string path = MakeMedia(folder, "m4a");
  const std::string whole = ReadBytes(path);
  WriteBytes(path, std::string_view(whole).substr(0, whole.size() / 2));
  const Error error = ErrorOf(path);
  EXPECT_EQ(error.code, Errc::kCorrupt);
  EXPECT_TRUE(error.what.starts_with(path + ": cut off before its index")) << error.what;
}

TEST(Damage, IsSkippedAndCounted) {
  const TempFolder folder;
  for (const char* kind : {"mp3", "flac"}) {
    const std::string path = MakeMedia(folder, kind);
    std::string bytes = ReadBytes(path);
    std::mt19937 random(11);
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 3000; ++i)
      bytes[i] = static_cast<char>(random());
    WriteBytes(path, bytes);
    const auto sound = Decode(path);
    ASSERT_TRUE(sound) << sound.error().what;
    EXPECT_GT(sound->samples.size(), 2u * kSampleRate) << kind;
    ASSERT_EQ(sound->report.warnings.size(), 1u) << kind;
    EXPECT_NE(sound->report.warnings[0].find("damaged packet"), std::string::npos);
  }
}

class Flips : public testing::TestWithParam<const char*> {};

TEST_P(Flips, EndInSoundOrATypedErrorInTime) {
  const TempFolder folder;
  const std::string path = MakeMedia(folder, GetParam());
  const std::string whole = ReadBytes(path);
  std::mt19937 random(2026);
  for (int round = 0; round < 24; ++round) {
    std::string bytes = whole;
    // Half of the rounds hit the headers, where most parsing happens.
    const std::size_t reach =
        round % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 400);
    const int flips = 1 << (round / 4);
    for (int i = 0; i < flips; ++i) bytes[random() % reach] ^= static_cast<char>(1 << random() % 8);
    WriteBytes(path, bytes);
    const auto sound = Decode(path);
    if (sound) continue;  // that it is finite and counted is checked by the reader
    const Errc code = sound.error().code;
    EXPECT_TRUE(code == Errc::kCorrupt || code == Errc::kUnsupported || code == Errc::kNoMemory)
        << Name(code) << " in round " << round << ": " << sound.error().what;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Flips,
                         testing::Values("wav", "mp3", "flac", "ogg", "opus", "m4a", "fast.m4a",
                                         "webm"),
                         NameOfKind);

}  // namespace
}  // namespace headroom::audio
