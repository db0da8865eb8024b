#include <nlohmann/json.hpp>

#include "net/server/tokens.h"
#include "net/testing/web_server_fixture.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(WebServerTest, ACommandIsAnsweredByTheControlSocketsService) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send(Post("/api/drain", "{}")));
  const std::string answer = client.Receive("}\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(json::parse(Body(answer))["draining"]);
  ASSERT_TRUE(client.Send("DELETE /api/drain HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_THAT(client.Receive("}\n"), HasSubstr("\"draining\":false"));
  ASSERT_TRUE(client.Send(Post("/api/drain", R"({"drain": false})")));
  EXPECT_THAT(client.Receive("}\n"), HasSubstr("\"draining\":false"));
  EXPECT_THAT(control_.asked(), ::testing::ElementsAre("drain true", "drain false", "drain false"));
  EXPECT_THAT(Ask(Post("/api/drain", R"({"drian": false})")),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("did you mean")));
}

TEST_F(WebServerTest, ACommandOfAnotherSiteOrThatIsNoJsonIsRefused) {
  options_.origins = {"https://notes.example"};
  Start();
  EXPECT_THAT(Ask(Post("/api/drain", "{}", "Origin: https://notes.example\r\n")),
              StartsWith("HTTP/1.1 403"))
      << "it may transcribe, not manage";
  EXPECT_THAT(Ask(Post("/api/drain", "{}", "Origin: https://evil.example\r\n")),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Ask(Post("/api/drain", "{}", "Sec-Fetch-Site: cross-site\r\n")),
              StartsWith("HTTP/1.1 403"));
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx"})
    EXPECT_THAT(Ask(Post("/api/drain", "{}", "", type)), StartsWith("HTTP/1.1 415")) << type;
  EXPECT_THAT(Ask(Post("/api/drain", std::string(5000, ' '))), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(control_.asked().empty());
  EXPECT_THAT(Ask(Post("/api/drain", "{}", "Origin: http://localhost\r\n",
                       "application/json; charset=utf-8")),
              StartsWith("HTTP/1.1 200"))
      << "our own page";
  ASSERT_TRUE(AddToken(options_.tokens, "phone", SystemClock().WallNow()));
  EXPECT_THAT(Ask(Post("/api/drain", "{}")), StartsWith("HTTP/1.1 401"));
  EXPECT_EQ(control_.asked().size(), 1u);
}

Event Zone(const std::string& reason) {
  return ZoneChanged{memory::Gauge::kRam, memory::Zone::kSafe, memory::Zone::kDanger, reason};
}

TEST_F(WebServerTest, EventsHaveNoWordThatWasSpoken) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send(Get("/api/events")));
  const std::string head = client.Receive("\n\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_TRUE(Soon([&] { return server_->has_subscribers(); }));
  server_->Publish(PartialText{7, "secret", "secret"});
  server_->Publish(TextDelivered{.utterance = 7, .text = "secret", .latency = Milliseconds(180)});
  const std::string event = client.Receive("180");
  EXPECT_THAT(event, AllOf(HasSubstr("event: text\ndata: {"), HasSubstr("\"latency_ms\":180")));
  EXPECT_THAT(event, Not(HasSubstr("secret")));
  EXPECT_EQ(server_->counters().subscribers, 1u);
  client.HangUp();
  EXPECT_TRUE(Soon([&] { return !server_->has_subscribers(); }));
}

TEST_F(WebServerTest, AFollowerThatDoesNotReadIsClosedAndTheOthersGoOn) {
  options_.bytes_waiting = KiB(64);
  options_.most_subscribers = 2;
  Start();
  RawClient slow = Connect(4096), reader = Connect();
  ASSERT_TRUE(slow.Send(Get("/api/events")));
  ASSERT_TRUE(reader.Send(Get("/api/events")));
  EXPECT_TRUE(Soon([&] { return server_->counters().subscribers == 2; }));
  EXPECT_THAT(Ask(Get("/api/events")), StartsWith("HTTP/1.1 429"));
  reader.Receive("\n\n");
  const std::string reason(20'000, 'x');
  int sent = 0;
  EXPECT_TRUE(Soon([&] {
    server_->Publish(Zone(reason + std::to_string(++sent)));
    reader.Receive("x" + std::to_string(sent) + "\"");
    return server_->counters().slow_readers == 1;
  }));
  EXPECT_EQ(server_->counters().subscribers, 1u);
  server_->Publish(Zone("last"));
  EXPECT_THAT(reader.Receive("last"), HasSubstr("last"));
  server_.reset();
  EXPECT_TRUE(reader.Closed());
}

TEST_F(WebServerTest, AReportIsAPageThatCanReachNothing) {
  Start();
  const std::string answer = Ask(Get("/api/report?since=1h"));
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/html"),
                            HasSubstr("sandbox allow-scripts; default-src 'none'"),
                            HasSubstr("<h1>A report</h1>")));
  EXPECT_THAT(control_.asked(), ::testing::ElementsAre("report 1h"));
  EXPECT_THAT(Ask(Get("/api/report?since=never")),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("no time")));
  const std::string frame = Ask(Get("/frame.html"));
  EXPECT_THAT(frame, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("frame-ancestors 'self'")));
  EXPECT_THAT(Ask(Get("/")), HasSubstr("frame-ancestors 'none'"));
}

TEST_F(WebServerTest, HistoryOnlyWhereTheConfigurationSaysSo) {
  Start();
  EXPECT_THAT(Ask(Get("/api/history")),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("server.history")));
  server_.reset();
  options_.history = true;
  Start();
  EXPECT_THAT(Ask(Get("/api/history?limit=3")),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Vergangenheit")));
  EXPECT_THAT(control_.asked(), ::testing::ElementsAre("history 3 false"));
  server_.reset();
  options_.origins = {"https://notes.example"};
  Start();
  EXPECT_THAT(Ask(Get("/api/history", "Origin: https://notes.example\r\n")),
              StartsWith("HTTP/1.1 403"))
      << "it may transcribe, not read what was dictated";
}

TEST_F(WebServerTest, ACommandThatIsNotAnsweredTimesOutAndAClientMayLeave) {
  options_.command_time = Milliseconds(50);
  Start();
  control_.hold = true;
  EXPECT_THAT(Ask(Post("/api/drain", "{}")), StartsWith("HTTP/1.1 504"));
  {
    RawClient client = Connect();
    client.Send(Post("/api/drain", "{}"));
  }
  control_.TakeHeld().clear();  // answered too late, without a client
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 0; }));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace headroom::net
