#include "net/http/web_routes.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "net/http/web_core.h"
#include "net/testing/fake_service.h"
#include "net/testing/fake_speech.h"

namespace headroom::net {
namespace {

using ::testing::HasSubstr;

class WebRoutesTest : public ::testing::Test {
 protected:
  // The path of the row that answers, with the name that it is given, or the refusal's status.
  std::string Find(std::string_view method, std::string_view target) const {
    const auto found = core_->routes.Find(method, target);
    if (const auto* refusal = std::get_if<HttpRefusal>(&found))
      return std::to_string(StatusOf(refusal->kind));
    const auto& match = std::get<RouteTable::Match>(found);
    return std::string(match.route->path) + std::string(match.name);
  }
  Access AccessTo(std::string_view method, std::string_view target) const {
    const auto found = core_->routes.Find(method, target);
    return std::get<RouteTable::Match>(found).route->access;
  }

  FakeSpeech speech_;
  FakeService control_;
  std::shared_ptr<WebCore> core_ = std::make_shared<WebCore>(
      WebOptions{}, speech_, &control_, *ParseListenAddress("127.0.0.1:0"), nullptr);
};

TEST_F(WebRoutesTest, EveryOne) {
  EXPECT_EQ(Find("POST", "/v1/audio/transcriptions?x=y"), "/v1/audio/transcriptions");
  EXPECT_EQ(Find("POST", "/v1/audio/translations"), "/v1/audio/translations");
  EXPECT_EQ(Find("GET", "/v1/models"), "/v1/models");
  EXPECT_EQ(Find("GET", "/v1/models/a/b"), "/v1/models/a/b");
  EXPECT_EQ(Find("GET", "/v1/realtime?model=x"), "/v1/realtime");
  EXPECT_EQ(Find("HEAD", "/readyz"), "/readyz");
  EXPECT_EQ(Find("GET", "/metrics"), "/metrics");
  EXPECT_EQ(Find("GET", "/api/status"), "/api/status");
  EXPECT_EQ(Find("GET", "/api/events"), "/api/events");
  EXPECT_EQ(Find("GET", "/"), "/");
  EXPECT_EQ(Find("GET", "/page.css"), "/page.css");
  EXPECT_EQ(Find("POST", "/api/drain?x=y"), "/api/drain");
  EXPECT_EQ(Find("DELETE", "/api/drain"), "/api/drain");
  EXPECT_EQ(Find("GET", "/api/history?limit=3"), "/api/history");
  EXPECT_EQ(Find("GET", "/api/models/unload"), "405");
  EXPECT_EQ(Find("DELETE", "/api/history"), "405");
  EXPECT_EQ(std::get<HttpRefusal>(core_->routes.Find("GET", "/api/drain")).allow, "POST, DELETE");
  EXPECT_EQ(Find("POST", "/api/shutdown"), "405") << "not for the network";
  EXPECT_EQ(Find("POST", "/v1/shutdown"), "404") << "not for the network";
  EXPECT_EQ(Find("POST", "/api/listen"), "405");
  EXPECT_EQ(Find("DELETE", "/v1/models"), "405");
  EXPECT_EQ(Find("POST", "/"), "405");
  EXPECT_EQ(Find("GET", "/v1/audio/transcriptions"), "405");
  EXPECT_EQ(Find("GET", "/v1/models/"), "404");
  EXPECT_EQ(Find("GET", "/api/"), "404");
  EXPECT_EQ(Find("GET", "/page"), "404");
  EXPECT_EQ(Find("GET", "*"), "400");
  EXPECT_EQ(Find("GET", ""), "400");
  EXPECT_EQ(Find("GET", "http://evil.example/livez"), "400");
}

TEST_F(WebRoutesTest, WhoMayAskIsInTheTable) {
  EXPECT_EQ(AccessTo("GET", "/livez"), Access::kOpen);
  EXPECT_EQ(AccessTo("GET", "/page.js"), Access::kOpen);
  EXPECT_EQ(AccessTo("GET", "/metrics"), Access::kToken);
  EXPECT_EQ(AccessTo("GET", "/api/models"), Access::kToken);
  EXPECT_EQ(AccessTo("POST", "/api/models/load"), Access::kOwnSite);
  EXPECT_EQ(AccessTo("DELETE", "/api/drain"), Access::kOwnSite);
  EXPECT_EQ(AccessTo("GET", "/api/history"), Access::kHistory);
}

TEST(WebRoutes, ModelsAreListedWithTheAlias) {
  ServiceState state;
  EXPECT_THAT(ModelsJson(state), HasSubstr("whisper-1"));
  state.models = {{"parakeet", {"en"}, false}, {"whisper-base", {"de"}, true}};
  const auto alias = nlohmann::json::parse(*ModelJson(state, "whisper-1"));
  EXPECT_EQ(alias["languages"], nlohmann::json({"de"})) << "of the one that is loaded";
  EXPECT_FALSE(ModelJson(state, "whisper-2"));
}

}  // namespace
}  // namespace headroom::net
