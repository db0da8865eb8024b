#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "net/server/tokens.h"
#include "net/testing/web_server_fixture.h"

namespace headroom::net {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(WebServerTest, AConnectionIsUsedAgain) {
  Start();
  RawClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(Upload(File("RIFF") + kEnd)));
    EXPECT_THAT(client.Receive("}\n"), HasSubstr("Guten Tag."));
    ASSERT_TRUE(client.Send(Get("/livez")));
    EXPECT_THAT(client.Receive("alive\n"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(server_->counters().connections, 1u);
}

TEST_F(WebServerTest, AnEndingServerSaysSoToThoseWhoWait) {
  speech_.script.delay = Milliseconds(60'000);
  Start();
  RawClient waiting = Connect(), idle = Connect();
  ASSERT_TRUE(waiting.Send(Upload(File("RIFF") + kEnd)));
  ASSERT_TRUE(Soon([&] { return speech_.jobs() == 1; }));
  server_.reset();
  EXPECT_THAT(waiting.Receive(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("ends")));
  EXPECT_TRUE(idle.Closed());
  EXPECT_EQ(speech_.cancelled(), 1u);
}

TEST_F(WebServerTest, AClientThatSendsSlowlyIsCutOff) {
  options_.header_time = Milliseconds(300);
  options_.body_time = Milliseconds(300);
  Start();
  RawClient silent = Connect(), drip = Connect(), body = Connect();
  ASSERT_TRUE(body.Send(Upload(File(std::string(1000, 'a')) + kEnd).substr(0, 400)));
  // Each byte must not buy more time.
  std::jthread dripping([&](const std::stop_token& stop) {
    for (const char c : Get("/livez", "X: " + std::string(10'000, 'x'))) {
      if (stop.stop_requested() || !drip.Send(std::string_view(&c, 1))) return;
      std::this_thread::sleep_for(Milliseconds(20));
    }
  });
  EXPECT_TRUE(silent.Closed());
  EXPECT_TRUE(drip.Closed());
  EXPECT_TRUE(body.Closed());
  dripping.request_stop();
  EXPECT_TRUE(Soon([&] { return server_->counters().timed_out == 3; }));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, WhatIsNotHttpIsAnswered) {
  Start();
  EXPECT_THAT(Ask("\x16\x03\x01\x02hello\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("GET / HTTP/9.9\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(
      Ask("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
      StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(Get("/livez", "X: " + std::string(20'000, 'x') + "\r\n")),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Ask("GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: multipart/form-data; boundary=xyz\r\n"
                  "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(Get("/v1/audio/transcriptions")),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: POST")));
  EXPECT_THAT(Ask(Get("/v1/audio/transcription")),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("did you mean")));
  EXPECT_THAT(Ask(Get("/../../etc/passwd")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, ANameThatIsNotOursAndAPageOfAnotherSiteAreRefused) {
  options_.origins = {"https://notes.example"};
  Start();
  for (const char* head :
       {"Host: evil.example\r\n", "", "Host: localhost\r\nHost: evil.example\r\n",
        "Host: localhost\r\nOrigin: https://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"})
    EXPECT_THAT(Ask(std::string("GET /v1/models HTTP/1.1\r\n") + head + "\r\n"),
                StartsWith("HTTP/1.1 403"))
        << head;
  EXPECT_EQ(server_->counters().refused_site, 6u);
  EXPECT_THAT(Ask(Get("/v1/models", "Origin: http://localhost\r\n")),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Cross-Origin-Resource-Policy"),
                    Not(HasSubstr("Access-Control"))));
  EXPECT_THAT(Ask(Get("/v1/models", "Origin: https://notes.example\r\n")),
              AllOf(StartsWith("HTTP/1.1 200"),
                    HasSubstr("Access-Control-Allow-Origin: https://notes.example")));
  const std::string preflight =
      "OPTIONS /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
      "Access-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization, x-stainless-os\r\n";
  EXPECT_THAT(Ask(preflight + "Origin: https://notes.example\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 204"), HasSubstr("authorization, x-stainless-os")));
  EXPECT_THAT(Ask(preflight + "Origin: https://evil.example\r\n\r\n"), StartsWith("HTTP/1.1 403"));
}

TEST_F(WebServerTest, ATokenIsNeededOnceThereIsOneAndARevokedOneStopsWorking) {
  Start();
  EXPECT_THAT(Ask(Get("/v1/models")), StartsWith("HTTP/1.1 200"));
  const std::string token = AddToken(options_.tokens, "phone", {}).value();
  EXPECT_THAT(Ask(Get("/v1/models")),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer"),
                    HasSubstr("invalid_api_key")));
  EXPECT_THAT(Ask(Upload(File("RIFF") + kEnd)), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Ask(Get("/no/such")), StartsWith("HTTP/1.1 401")) << "nor what there is";
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(Get("/")), StartsWith("HTTP/1.1 200"));
  const std::string bearer = "Authorization: Bearer " + token + "\r\n";
  RawClient client = Connect();
  ASSERT_TRUE(client.Send(Get("/v1/models/whisper-base", bearer)));
  EXPECT_THAT(client.Receive("}\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(Upload(File("RIFF") + kEnd, bearer)), StartsWith("HTTP/1.1 200"));
  ASSERT_TRUE(RevokeToken(options_.tokens, "phone"));
  ASSERT_TRUE(client.Send(Get("/v1/models", bearer)));
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 401")) << "also on an open connection";
}

TEST_F(WebServerTest, OffLoopbackItAsksForTokensAndATrustedNetwork) {
  const auto why = [&] {
    const auto started = WebServer::Start(options_, speech_);
    return started ? "started" : started.error().what;
  };
  options_.listen = "0.0.0.0:0";
  EXPECT_THAT(why(), HasSubstr("insecure"));
  options_.tls_key = folder_ / "key.pem";
  EXPECT_THAT(why(), HasSubstr("both a certificate and its key"));
  options_.tls_certificate = folder_ / "certificate.pem";
  EXPECT_THAT(why(), HasSubstr("No such file"));
  ASSERT_TRUE(WriteFileAtomic(options_.tls_key, "nonsense"));
  ASSERT_TRUE(WriteFileAtomic(options_.tls_certificate, "nonsense"));
  EXPECT_THAT(why(), HasSubstr("not a certificate"));
  fs::permissions(options_.tls_key, fs::perms::others_read, fs::perm_options::add);
  EXPECT_THAT(why(), HasSubstr("chmod 600"));
  options_.tls_key = options_.tls_certificate = "";
  options_.insecure = true;
  EXPECT_THAT(why(), HasSubstr("headroom token add"));
  ASSERT_TRUE(AddToken(options_.tokens, "phone", {}));
  EXPECT_EQ(why(), "started");
  ASSERT_TRUE(RevokeToken(options_.tokens, "phone"));
  EXPECT_THAT(why(), HasSubstr("headroom token add"));
  options_.listen = "example.org:80";
  EXPECT_THAT(why(), HasSubstr("not an address"));
  options_.listen = "127.0.0.1:0";
  Start();
  options_.listen = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_THAT(why(), HasSubstr("another program listens there"));
}

TEST_F(WebServerTest, ConnectionsAreBoundedAndTheOldestIdleOneMakesRoom) {
  options_.most_connections = 3;
  Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    ASSERT_TRUE(clients.back()->connected());
  }
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(clients[static_cast<std::size_t>(i)]->Closed()) << i;
  EXPECT_TRUE(clients[9]->Send(Get("/livez")));
  EXPECT_THAT(clients[9]->Receive("alive\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server_->counters().evicted_idle, 7u);
  EXPECT_LE(server_->counters().open, 3u);
}

TEST_F(WebServerTest, OneConnectionMayNotAskWithoutEnd) {
  const FakeClock still;
  options_.requests_per_second = 5;
  options_.clock = &still;
  Start();
  RawClient client = Connect();
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Get("/livez");
  ASSERT_TRUE(client.Send(requests));
  const std::string answers = client.Receive();
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answers, HasSubstr("HTTP/1.1 429"));
  std::size_t served = 0;
  for (std::size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at)
    ++served;
  EXPECT_EQ(served, 5u);
  EXPECT_EQ(server_->counters().refused_rate, 1u);
}

TEST_F(WebServerTest, SmallAnswers) {
  Start();
  const json models = json::parse(Body(Ask(Get("/v1/models"))));
  EXPECT_EQ(models["object"], "list");
  EXPECT_EQ(models["data"].size(), 3u);
  EXPECT_EQ(models["data"][0]["id"], "whisper-base");
  EXPECT_EQ(models["data"][2]["id"], "whisper-1");
  EXPECT_THAT(Ask(Get("/v1/models/nothing")), StartsWith("HTTP/1.1 404"));
  EXPECT_EQ(json::parse(Body(Ask(Get("/api/plan"))))["plan"], true);
  EXPECT_THAT(Ask(Get("/api/secrets")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Ask(Get("/metrics")),
              AllOf(HasSubstr("headroom_zone"), HasSubstr("headroom_http_requests_total 5")));
  EXPECT_THAT(Ask(Get("/")), AllOf(HasSubstr("text/html"), HasSubstr("Content-Security-Policy"),
                                   HasSubstr("<h1>Headroom</h1>")));
  EXPECT_THAT(Ask(Get("/page.js")), HasSubstr("text/javascript"));
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  const std::string head = client.Receive();
  EXPECT_THAT(head, HasSubstr("Content-Length: 6"));
  EXPECT_EQ(Body(head), "");
}

TEST_F(WebServerTest, RealtimeWantsAWebSocket) {
  Start();
  EXPECT_THAT(Ask(Get("/v1/realtime")),
              AllOf(StartsWith("HTTP/1.1 426"), HasSubstr("Upgrade: websocket")));
  ASSERT_TRUE(AddToken(options_.tokens, "phone", {}));
  const std::string upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  EXPECT_THAT(Ask(Get("/v1/realtime", upgrade)), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Ask(Get("/v1/realtime", upgrade + "Origin: https://evil.example\r\n")),
              StartsWith("HTTP/1.1 403"));
  EXPECT_EQ(server_->counters().realtime, 0u);
}

TEST_F(WebServerTest, ARealtimeSocketLivesNoLongerThanItsTokenAndTheServer) {
  options_.keep_alive = Milliseconds(100);
  const std::string phone = AddToken(options_.tokens, "phone", {}).value();
  const std::string tower = AddToken(options_.tokens, "tower", {}).value();
  Start();
  const auto open = [&](const RawClient& client, const std::string& token) {
    client.Send(Get("/v1/realtime",
                    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key." +
                        token + "\r\n"));
    return client.Receive("session.created");
  };
  RawClient first = Connect(), second = Connect();
  EXPECT_THAT(open(first, phone), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(open(second, tower), StartsWith("HTTP/1.1 101"));
  ASSERT_TRUE(Soon([&] { return server_->counters().open == 2; }));
  ASSERT_TRUE(RevokeToken(options_.tokens, "phone"));
  EXPECT_THAT(first.Receive(), Not(HasSubstr("<nothing came>")));
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 1; }));
  server_.reset();
  EXPECT_THAT(second.Receive(), Not(HasSubstr("<nothing came>")));
  EXPECT_EQ(speech_.streams(), 0u);
}

}  // namespace
}  // namespace headroom::net
