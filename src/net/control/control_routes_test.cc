#include "net/control/control_routes.h"

#include <gmock/gmock.h>

#include "net/control/json_text.h"
#include "net/testing/fake_exchange.h"
#include "net/testing/fake_service.h"

namespace headroom::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Routes : public ::testing::Test {
 protected:
  // What the service was asked, or the answer to what was not understood.
  std::string Outcome(const std::string& method, const std::string& target,
                      const std::string& body = "") {
    FakeService service;
    std::atomic<std::size_t> followers{0};
    std::atomic<std::uint64_t> events{1};
    ControlBackend backend{
        .service = service,
        .fail = [](const Error& error,
                   unsigned status) { return HttpAnswer{.status = status, .body = error.what}; },
        .followers = followers,
        .next_event = events};
    const RouteTable table(RoutesOn(ControlRoutes(backend), true));
    FakeExchange exchange(method, target, body);
    const auto found = table.Find(method, target);
    if (const auto* refusal = std::get_if<HttpRefusal>(&found))
      return fmt::format("{}: {}", StatusOf(refusal->kind), refusal->message);
    std::get<RouteTable::Match>(found).route->handler(exchange);
    if (!service.asked().empty()) return service.asked().front();
    return fmt::format("{}: {}", exchange.answer.status, exchange.answer.body);
  }
};

TEST_F(Routes, EveryRouteAsksTheService) {
  EXPECT_EQ(Outcome("POST", "/v1/listen"), "listen ");
  EXPECT_EQ(Outcome("POST", "/v1/listen", R"({"language":"de"})"), "listen de");
  EXPECT_EQ(Outcome("POST", "/v1/finish", "  \n"), "finish");
  EXPECT_EQ(Outcome("POST", "/v1/toggle", "{}"), "toggle");
  EXPECT_EQ(Outcome("POST", "/v1/cancel"), "cancel");
  EXPECT_EQ(Outcome("POST", "/v1/reload"), "reload");
  EXPECT_EQ(Outcome("POST", "/v1/shutdown"), "shutdown");
  EXPECT_EQ(Outcome("POST", "/v1/drain"), "drain true");
  EXPECT_EQ(Outcome("POST", "/v1/drain", R"({"drain":false})"), "drain false");
  EXPECT_EQ(Outcome("DELETE", "/v1/drain"), "drain false");
  EXPECT_EQ(Outcome("GET", "/v1/report?since=1h"), "report 1h");
  EXPECT_EQ(Outcome("GET", "/v1/report"), "report 12h");
  EXPECT_EQ(Outcome("GET", "/v1/models"), "models");
  EXPECT_EQ(Outcome("POST", "/v1/models/load"), "load");
  EXPECT_EQ(Outcome("POST", "/v1/models/unload", "{}"), "unload");
  EXPECT_EQ(Outcome("GET", "/v1/status"), "status");
  EXPECT_EQ(Outcome("GET", "/v1/history"), "history 20 false");
  EXPECT_EQ(Outcome("GET", "/v1/history?limit=5&undelivered=true"), "history 5 true");
  EXPECT_EQ(Outcome("DELETE", "/v1/history"), "clear");
  EXPECT_EQ(Outcome("POST", "/v1/history/paste"), "paste 0");
  EXPECT_EQ(Outcome("POST", "/v1/history/paste", R"({"id":7})"), "paste 7");
  EXPECT_EQ(Outcome("GET", "/v1/events?only=text,,partial"), "status");
  EXPECT_EQ(Outcome("POST", "/v1/yield", R"({"who":"a\u001b[2Jgame"})"), "yield 1 a [2Jgame");
}

TEST_F(Routes, WhatIsNotUnderstoodIsNamed) {
  EXPECT_EQ(Outcome("GET", "/v1/stauts"), "404: there is no /v1/stauts; did you mean /v1/status?");
  EXPECT_EQ(Outcome("GET", ""), "400: a request's target has to begin with /");
  EXPECT_EQ(Outcome("GET", "/v1/listen"), "405: /v1/listen wants POST");
  EXPECT_EQ(Outcome("PUT", "/v1/history"), "405: /v1/history wants GET, DELETE");
  EXPECT_EQ(Outcome("POST", "/v1/listen", "{"), "400: the body is not JSON");
  EXPECT_EQ(Outcome("POST", "/v1/listen", "[]"), "400: the body is not a JSON object");
  EXPECT_EQ(Outcome("POST", "/v1/listen", R"({"langage":"de"})"),
            "400: there is no field \"langage\"; did you mean \"language\"?");
  EXPECT_EQ(Outcome("POST", "/v1/listen", R"({"language":7})"), "400: language has to be text");
  EXPECT_EQ(Outcome("POST", "/v1/recognize"), "400: fd is missing: a file descriptor of yours");
  EXPECT_EQ(Outcome("POST", "/v1/recognize", R"({"fd":-1})"),
            "400: fd has to be a whole number from 0 to 2147483647");
  EXPECT_EQ(Outcome("POST", "/v1/recognize", R"({"fd":1,"vocabulary":["a",1]})"),
            "400: vocabulary has to be a list of texts");
  EXPECT_EQ(Outcome("POST", "/v1/finish", R"({"now":true})"),
            "400: there is no field \"now\"; this route has none");
  for (const char* limit : {"0", "1001", "-5", "", "x", "99999999999999999999"})
    EXPECT_EQ(Outcome("GET", fmt::format("/v1/history?limit={}", limit)),
              "400: limit has to be a whole number from 1 to 1000")
        << limit;
  EXPECT_EQ(Outcome("POST", "/v1/history/paste", R"({"id":18446744073709551615})"),
            fmt::format("400: id has to be a whole number from 1 to {}", INT64_MAX));
  EXPECT_THAT(Outcome("GET", "/v1/events?only=%00"),
              HasSubstr("400: the query has control characters"));
}

TEST_F(Routes, DeepJsonIsTakenApartWithoutHarm) {
  EXPECT_EQ(Outcome("POST", "/v1/listen", std::string(65536, '[')), "400: the body is not JSON");
  std::string deep = R"({"language":)" + std::string(30000, '[') + std::string(30000, ']') + "}";
  EXPECT_EQ(Outcome("POST", "/v1/listen", deep), "400: language has to be text");
}

TEST(Route, ErrorsKeepTheirCode) {
  for (const Errc code : {Errc::kInvalid, Errc::kNotFound, Errc::kBusy, Errc::kNoSpace,
                          Errc::kTimeout, Errc::kInternal}) {
    EXPECT_GE(HttpStatus(code), 400u);
    const Error back = ErrorFromJson(ErrorJson({code, "why"}));
    EXPECT_EQ(back.code, code);
    EXPECT_EQ(back.what, "why");
  }
  EXPECT_EQ(ErrorFromJson(nlohmann::json::array()).code, Errc::kProtocol);
  EXPECT_EQ(ErrorFromJson({{"error", 1}}).code, Errc::kProtocol);
}

TEST(Route, AnEventIsOneLineOfJsonWhateverItHolds) {
  EXPECT_EQ(EventText(7, "text", {{"text", "a\nb\xff"}}),
            "id: 7\nevent: text\ndata: {\"text\":\"a\\nb\xEF\xBF\xBD\"}\n\n");
}

TEST(Answer, IsGivenOnceInAnyCase) {
  int answers = 0;
  Errc code = Errc::kIo;
  const auto make = [&] {
    return Answer([&](Result<nlohmann::json> result) {
      ++answers;
      code = result ? Errc::kIo : result.error().code;
    });
  };
  {
    const Answer forgotten = make();
  }
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(code, Errc::kInternal);
  {
    Answer first = make();
    Answer second = std::move(first);
    second(nlohmann::json::object());
  }
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace headroom::net
