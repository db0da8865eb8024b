#include "net/server/web_access.h"

#include <gmock/gmock.h>

namespace headroom::net {
namespace {

class Sites : public ::testing::Test {
 protected:
  bool Passes(std::string_view host, std::string_view origin = "", std::string_view fetch = "",
              bool page = false) const {
    return !rules_.Refuses({host, origin, fetch, page});
  }
  SiteRules rules_{
      *ParseListenAddress("127.0.0.1:7310"), {"tower.local"}, {"https://notes.example"}, false};
};

TEST_F(Sites, OnlyOurOwnNamesAreAnswered) {
  for (const char* ours : {"localhost", "LOCALHOST:7310", "127.0.0.1:7310", "127.0.0.1:1", "[::1]",
                           "[::1]:7310", "tower.local:80"})
    EXPECT_TRUE(Passes(ours)) << ours;
  for (const char* other :
       {"", "evil.example", "evil.example:7310", "localhost.evil.example", "127.0.0.1.evil.example",
        "192.168.1.5", "127.0.0.1:x", "127.0.0.1:", "[::1", "[::1]x", "evil@localhost", ":7310"})
    EXPECT_FALSE(Passes(other)) << other;
}

TEST_F(Sites, OnAllAddressesAnyAddressIsOursButNoName) {
  const SiteRules any(*ParseListenAddress("0.0.0.0:7310"), {}, {}, false);
  EXPECT_FALSE(any.Refuses({"192.168.1.5:7310", "", "", false}));
  EXPECT_FALSE(any.Refuses({"[fe80::1]:7310", "", "", false}));
  EXPECT_TRUE(any.Refuses({"evil.example:7310", "", "", false}));
}

TEST_F(Sites, PagesOfOtherSitesMayNotAsk) {
  EXPECT_TRUE(Passes("localhost:7310", "http://localhost:7310"));
  EXPECT_TRUE(Passes("localhost:7310", "https://notes.example"));
  EXPECT_TRUE(rules_.AllowsOrigin("https://notes.example"));
  for (const char* other :
       {"https://localhost:7310", "http://localhost:8000", "http://127.0.0.1:7310", "null",
        "http://evil.example", "https://notes.example.evil", "http://notes.example"})
    EXPECT_FALSE(Passes("localhost:7310", other)) << other;
}

TEST_F(Sites, ABrowserSaysWhereAQuestionWithoutOriginComesFrom) {
  EXPECT_TRUE(Passes("localhost", "", "same-origin"));
  EXPECT_TRUE(Passes("localhost", "", "none"));
  EXPECT_FALSE(Passes("localhost", "", "cross-site"));
  EXPECT_FALSE(Passes("localhost", "", "same-site"));
  EXPECT_TRUE(Passes("localhost", "", "cross-site", true)) << "a link to the page";
}

TEST(Rate, IsSoManyASecondAndAsManyAtOnce) {
  FakeClock clock;
  RateLimit limit(5);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit.Admit(clock.Now()));
  EXPECT_FALSE(limit.Admit(clock.Now()));
  clock.Advance(Milliseconds(250));
  EXPECT_TRUE(limit.Admit(clock.Now()));
  EXPECT_FALSE(limit.Admit(clock.Now()));
  clock.Advance(Milliseconds(100'000));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit.Admit(clock.Now()));
  EXPECT_FALSE(limit.Admit(clock.Now()));
}

TEST(Token, ComesAsBearerOrAsASubprotocol) {
  EXPECT_EQ(TokenOf("Bearer abc", ""), "abc");
  EXPECT_EQ(TokenOf("bearer  abc ", ""), "abc");
  EXPECT_EQ(TokenOf("Basic abc", ""), "");
  EXPECT_EQ(TokenOf("", ""), "");
  EXPECT_EQ(TokenOf("", "realtime, openai-insecure-api-key.abc, openai-beta.realtime-v1"), "abc");
  EXPECT_EQ(TokenOf("Bearer abc", "openai-insecure-api-key.def"), "abc");
}

TEST(Lists, HaveWordsWhateverTheCase) {
  EXPECT_TRUE(ListHas("keep-alive, Upgrade", "upgrade"));
  EXPECT_FALSE(ListHas("keep-alive, Upgraded", "upgrade"));
  EXPECT_FALSE(ListHas("", "upgrade"));
}

}  // namespace
}  // namespace headroom::net
