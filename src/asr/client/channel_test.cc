#include "asr/client/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/fd_passing.h"

namespace headroom::asr {
namespace {

using nlohmann::json;

MonoTime Soon() {
  return SystemClock().Now() + Milliseconds(500);
}

struct Ends {
  Channel a, b;
};
Ends Connected() {
  auto sockets = MakeMessageSockets();
  return {Channel(std::move(sockets->ours)), Channel(std::move(sockets->theirs))};
}

Result<json> Parse(const std::vector<std::uint8_t>& bytes) {
  return ParseMessage(std::as_bytes(std::span(bytes)));
}

TEST(Channel, CarriesMessagesAndDescriptors) {
  Ends ends = Connected();
  auto pipe = MakePipe();
  const int fds[] = {pipe->read.get()};
  ASSERT_TRUE(ends.a.Send({{"op", "run"}, {"n", 7}}, fds, Soon()));
  auto message = ends.b.TryReceive();
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->body, json({{"op", "run"}, {"n", 7}}));
  ASSERT_EQ((*message)->fds.size(), 1u);
  ASSERT_TRUE(WriteAll(pipe->write.get(), "x"));
  std::byte one[1];
  EXPECT_EQ(ReadFull((*message)->fds[0].get(), one).value(), 1u);
}

TEST(Channel, CarriesMessagesLargerThanTheSocketTakes) {
  Ends ends = Connected();
  const json body = {{"text", std::string(3 << 20, 'x')}};
  ASSERT_TRUE(ends.a.Send(body, {}, Soon()));
  auto message = ends.b.TryReceive();
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->body, body);
  EXPECT_TRUE((*message)->fds.empty());
}

TEST(Channel, NothingWaitingIsNotAnError) {
  Ends ends = Connected();
  EXPECT_FALSE(ends.b.TryReceive()->has_value());
}

TEST(Channel, AReaderThatDoesNotReadIsATimeout) {
  Ends ends = Connected();
  const json body = {{"text", std::string(60'000, 'x')}};
  Result<> sent;
  for (int i = 0; i < 100 && sent; ++i)
    sent = ends.a.Send(body, {}, SystemClock().Now() + Milliseconds(20));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::kTimeout);
}

TEST(Channel, AClosedEndIsLost) {
  Ends ends = Connected();
  {
    const Channel gone = std::move(ends.b);
  }
  EXPECT_EQ(ends.a.TryReceive().error().code, Errc::kWorkerLost);
  EXPECT_EQ(ends.a.Send({{"op", "stats"}}, {}, Soon()).error().code, Errc::kWorkerLost);
}

TEST(Channel, RawNonsenseOnTheSocketIsAProtocolError) {
  Ends ends = Connected();
  const std::string nonsense = "GET / HTTP/1.1";
  ASSERT_GT(::send(ends.a.fd(), nonsense.data(), nonsense.size(), 0), 0);
  EXPECT_EQ(ends.b.TryReceive().error().code, Errc::kProtocol);
  const std::vector<char> huge(kMaxMessage + 1, 'x');
  ASSERT_GT(::send(ends.a.fd(), huge.data(), huge.size(), 0), 0);
  EXPECT_EQ(ends.b.TryReceive().error().code, Errc::kProtocol);
}

TEST(Channel, ALargeMessageMustBringItsMemory) {
  Ends ends = Connected();
  ASSERT_TRUE(ends.a.Send({{"large", true}}, {}, Soon()));
  EXPECT_EQ(ends.b.TryReceive().error().code, Errc::kProtocol);
}

TEST(ParseMessage, RefusesEveryTruncationOfAValidMessage) {
  const auto bytes = json::to_cbor({{"op", "load"}, {"path", "/m.gguf"}, {"list", {1, 2.5, true}}});
  ASSERT_TRUE(Parse(bytes));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    auto parsed = Parse({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)});
    ASSERT_FALSE(parsed) << n;
    EXPECT_EQ(parsed.error().code, Errc::kProtocol);
  }
}

TEST(ParseMessage, SurvivesEveryFlippedByte) {
  const auto bytes = json::to_cbor({{"op", "load"}, {"path", "/m.gguf"}, {"list", {1, 2.5, true}}});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto flipped = bytes;
      flipped[i] = static_cast<std::uint8_t>(flipped[i] ^ (1 << bit));
      const auto parsed = Parse(flipped);
      EXPECT_TRUE(!parsed || parsed->is_object());
    }
  }
}

TEST(ParseMessage, RefusesWhatWouldExhaustStackOrMemory) {
  EXPECT_FALSE(Parse(std::vector<std::uint8_t>(60'000, 0x81)));                 // arrays in arrays
  EXPECT_FALSE(Parse({0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));  // 2^64-1 items
  EXPECT_FALSE(Parse({0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));  // 2^63-1 bytes
  EXPECT_FALSE(Parse({0xBF, 0xFF}));                                            // indefinite length
  EXPECT_FALSE(Parse({0xA0, 0x00}));  // more after the end
  EXPECT_FALSE(Parse({0x80}));        // not a map
  EXPECT_TRUE(Parse({0xA0}));
}

}  // namespace
}  // namespace headroom::asr
