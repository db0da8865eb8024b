#include "net/http/web_route.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace headroom::net {
namespace {

using ::testing::HasSubstr;

// "200 NUMBER name" or the refusal's status.
std::string Find(std::string_view method, std::string_view target) {
  const auto found = FindWebRoute(method, target);
  if (const auto* error = std::get_if<WebError>(&found)) return std::to_string(error->status);
  const auto& to = std::get<WebTarget>(found);
  return fmt::format("{} {}", static_cast<int>(to.route), to.name);
}
std::string Is(WebRoute route, std::string_view name = "") {
  return fmt::format("{} {}", static_cast<int>(route), name);
}

TEST(WebRoutes, EveryOne) {
  EXPECT_EQ(Find("POST", "/v1/audio/transcriptions"), Is(WebRoute::kTranscribe));
  EXPECT_EQ(Find("POST", "/v1/audio/transcriptions?x=y"), Is(WebRoute::kTranscribe));
  EXPECT_EQ(Find("POST", "/v1/audio/translations"), Is(WebRoute::kTranslate));
  EXPECT_EQ(Find("GET", "/v1/models"), Is(WebRoute::kModels));
  EXPECT_EQ(Find("GET", "/v1/models/whisper-base"), Is(WebRoute::kModel, "whisper-base"));
  EXPECT_EQ(Find("GET", "/v1/models/a/b"), Is(WebRoute::kModel, "a/b"));
  EXPECT_EQ(Find("GET", "/v1/realtime?model=x"), Is(WebRoute::kRealtime));
  EXPECT_EQ(Find("GET", "/livez"), Is(WebRoute::kLive));
  EXPECT_EQ(Find("HEAD", "/readyz"), Is(WebRoute::kReady));
  EXPECT_EQ(Find("GET", "/metrics"), Is(WebRoute::kMetrics));
  EXPECT_EQ(Find("GET", "/api/status"), Is(WebRoute::kInspect, "status"));
  EXPECT_EQ(Find("GET", "/"), Is(WebRoute::kPage, "/"));
  EXPECT_EQ(Find("GET", "/page.css"), Is(WebRoute::kPage, "/page.css"));
  for (const char* method : {"POST", "DELETE"}) {
    const auto found = FindWebRoute(method, "/api/drain?x=y");
    ASSERT_TRUE(std::holds_alternative<WebTarget>(found));
    EXPECT_EQ(std::get<WebTarget>(found).route, WebRoute::kCommand);
    EXPECT_EQ(std::get<WebTarget>(found).name, "/v1/drain?x=y") << "the control socket's";
    EXPECT_EQ(std::get<WebTarget>(found).method, method);
  }
  EXPECT_EQ(Find("GET", "/api/events"), Is(WebRoute::kEvents));
  EXPECT_EQ(Find("GET", "/api/models"), Is(WebRoute::kCommand, "/v1/models"));
  EXPECT_EQ(Find("POST", "/api/models/load"), Is(WebRoute::kCommand, "/v1/models/load"));
  EXPECT_EQ(Find("GET", "/api/models/unload"), "405");
  EXPECT_EQ(Find("GET", "/api/history?limit=3"), Is(WebRoute::kCommand, "/v1/history?limit=3"));
  EXPECT_EQ(Find("DELETE", "/api/history"), "405");
  EXPECT_EQ(std::get<WebError>(FindWebRoute("GET", "/api/drain")).allow, "POST, DELETE");
  EXPECT_EQ(Find("POST", "/api/shutdown"), "405") << "not for the network";
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
