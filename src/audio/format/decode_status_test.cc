#include "audio/format/decode_status.h"

#include <gtest/gtest.h>

namespace headroom::audio {
namespace {

template <class T>
T RoundTrip(const T& status) {
  std::string line = FormatDecodeStatus(status);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  line.pop_back();
  auto parsed = ParseDecodeStatus(line);
  EXPECT_TRUE(parsed) << line;
  return std::get<T>(std::move(*parsed));
}

TEST(DecodeStatus, ComesBackAsItWasSent) {
  EXPECT_EQ(RoundTrip(DecodeBegin{Milliseconds(11000)}).duration, Milliseconds(11000));
  EXPECT_EQ(RoundTrip(DecodeBegin{}).duration, std::nullopt);
  EXPECT_EQ(RoundTrip(DecodeWarning{"2 damaged packets"}).text, "2 damaged packets");
  const auto end = RoundTrip(
      DecodeEnd{.samples = 576'000'000, .non_finite = 3, .truncated = true, .detail = "3 s of 11"});
  EXPECT_EQ(end.samples, 576'000'000);
  EXPECT_EQ(end.non_finite, 3);
  EXPECT_TRUE(end.truncated);
  EXPECT_EQ(end.detail, "3 s of 11");
  const auto error = RoundTrip(Error{Errc::kCorrupt, "0 bytes"});
  EXPECT_EQ(error.code, Errc::kCorrupt);
  EXPECT_EQ(error.what, "0 bytes");
}

TEST(DecodeStatus, TextsAreMadeSafeOnBothSides) {
  const std::string evil = "a\x1b[31m\n\xFF" + std::string(5000, 'x');
  const std::string line = FormatDecodeStatus(DecodeWarning{evil});
  EXPECT_LE(line.size(), kMaxStatusLine);
  const auto parsed = ParseDecodeStatus(R"({"status":"warning","text":"one\ntwo\u001b[2J)" +
                                        std::string(999, 'x') + "\"}");
  ASSERT_TRUE(parsed);
  const std::string& text = std::get<DecodeWarning>(*parsed).text;
  EXPECT_TRUE(text.starts_with("one two [2J")) << text;
  EXPECT_LE(text.size(), 300u);
}

TEST(DecodeStatus, NonsenseIsAProtocolError) {
  for (const char* line :
       {"", "{", "[]", "null", "{}", R"({"status":1})", R"({"status":"other"})",
        R"({"status":"begin","duration_ms":-1})", R"({"status":"begin","duration_ms":1e300})",
        R"({"status":"begin","duration_ms":9223372036854775807})",
        R"({"status":"end","samples":1,"non_finite":0,"truncated":false})",
        R"({"status":"end","samples":"1","non_finite":0,"truncated":false,)"
        R"("detail":""})",
        R"({"status":"error","code":"corrupt"})", R"({"status":"warning"})"}) {
    const auto parsed = ParseDecodeStatus(line);
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().code, Errc::kProtocol);
  }
  EXPECT_FALSE(ParseDecodeStatus(R"({"status":"begin"})" + std::string(kMaxStatusLine, ' ')));
  EXPECT_FALSE(ParseDecodeStatus(std::string(kMaxStatusLine, '['))) << "deep nesting";
}

TEST(OneLineText, IsPrintableAndShort) {
  EXPECT_EQ(OneLine("a\tb\nc"), "a b c");
  EXPECT_EQ(OneLine("päge"), "päge");
  const std::string many = OneLine(std::string(1000, '\xFF'));
  EXPECT_LE(many.size(), 300u);
  EXPECT_EQ(many.size() % 3, 0u) << "cut inside of a character";
}

}  // namespace
}  // namespace headroom::audio
