#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "base/mutex.h"
#include "net/control/client.h"
#include "net/control/control.h"
#include "net/server/local_socket.h"
#include "net/testing/fake_service.h"
#include "net/testing/raw_client.h"

namespace headroom::net {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/headroom_server.XXXXXX";
    folder_ = ::mkdtemp(name.data());
    options_.socket = folder_ / "control.sock";
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(folder_);
  }
  void Start() {
    auto server = ControlServer::Start(options_, service_);
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
  }
  Result<json> Ask(const std::string& method, const std::string& target,
                   const json& body = nullptr) const {
    return ControlClient(options_.socket).Ask(method, target, body);
  }

  fs::path folder_;
  ServerOptions options_;
  FakeService service_;
  std::unique_ptr<ControlServer> server_;
};

constexpr char kGet[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ServerTest, AsksTheServiceAndAnswers) {
  Start();
  const auto status = Ask("POST", "/v1/listen", {{"language", "de"}});
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ((*status)["phase"], "listening");
  EXPECT_EQ((*Ask("GET", "/v1/status"))["control"]["requests"], 2);
  EXPECT_EQ((*Ask("GET", "/v1/history"))["entries"][0]["text"], "Grüße aus der Vergangenheit");
  EXPECT_THAT(service_.asked(), ElementsAre("listen de", "status", "history 20 false"));
}

TEST_F(ServerTest, ErrorsArriveAsTheyWereGiven) {
  Start();
  const auto reload = Ask("POST", "/v1/reload");
  EXPECT_EQ(reload.error().code, Errc::kInvalid);
  EXPECT_THAT(reload.error().what, StartsWith("/c.toml:3: "));
  EXPECT_EQ(Ask("POST", "/v1/history/paste", {{"id", 8}}).error().code, Errc::kNotFound);
  EXPECT_EQ(Ask("GET", "/v2/status").error().code, Errc::kNotFound);
  EXPECT_EQ(Ask("GET", "/v1/listen").error().what, "/v1/listen wants POST");
}

TEST_F(ServerTest, WithoutADaemonTheClientSaysHowToStartOne) {
  const auto status = Ask("GET", "/v1/status");
  EXPECT_EQ(status.error().code, Errc::kNotFound);
  EXPECT_THAT(status.error().what, HasSubstr("start it with 'headroom daemon'"));
}

TEST_F(ServerTest, ASecondServerIsRefusedAndTheFirstGoesOn) {
  Start();
  const auto second = ControlServer::Start(options_, service_);
  EXPECT_EQ(second.error().code, Errc::kBusy);
  EXPECT_THAT(second.error().what, HasSubstr(fmt::format("pid {}", ::getpid())));
  EXPECT_TRUE(Ask("GET", "/v1/status"));
  server_.reset();
  Start();
  EXPECT_TRUE(Ask("GET", "/v1/status"));
}

TEST_F(ServerTest, SeveralRequestsOnOneConnection) {
  Start();
  const RawClient raw(options_.socket);
  ASSERT_TRUE(raw.Send(std::string(kGet) + kGet));  // both at once
  std::string all = raw.Receive("}\n");
  if (all.find("}\nHTTP") == std::string::npos) all += raw.Receive("}\n");
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, HasSubstr("}\nHTTP/1.1 200 OK"));
  ASSERT_TRUE(raw.Send("POST /v1/toggle HTTP/1.1\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(raw.Receive(), HasSubstr("\"phase\":\"listening\""));
}

TEST_F(ServerTest, WhatIsNotHttpIsRefusedWithAReason) {
  options_.header_limit = KiB(1);
  options_.body_limit = KiB(1);
  Start();
  const auto reply = [&](const std::string& text) {
    const RawClient raw(options_.socket);
    raw.Send(text);
    return raw.Receive();
  };
  EXPECT_THAT(reply("hello\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(reply(std::string("\0\xff\x16\x03\x01\r\n\r\n", 9)), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(reply("GET /v1/status HTTP/9.9\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(reply("GET / HTTP/1.1\r\nx: " + std::string(2000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(reply("POST /v1/listen HTTP/1.1\r\nContent-Length: 5000\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(reply("POST /v1/listen HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" +
                    std::string(4095, ' ') + "\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(reply("POST /v1/listen HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(Soon([&] { return server_->counters().bad_requests == 7; }));
  EXPECT_TRUE(Ask("GET", "/v1/status"));
  EXPECT_EQ(service_.asked().size(), 1u);
}

// Random damage to real requests: never a crash, and others are served afterwards.
TEST_F(ServerTest, DamagedRequests) {
  options_.request_time = Milliseconds(50);
  Start();
  const std::string whole =
      "POST /v1/listen HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{\"language\":\"de\"}";
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string text = whole;
    for (unsigned flips = random() % 4; flips > 0; --flips)
      text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % (text.size() + 1));
    RawClient raw(options_.socket);
    raw.Send(text);
  }
  EXPECT_TRUE(Ask("GET", "/v1/status"));
}

TEST_F(ServerTest, AClientThatNeverFinishesItsRequestIsClosed) {
  options_.request_time = Milliseconds(100);
  Start();
  const RawClient silent(options_.socket), half(options_.socket), body(options_.socket);
  half.Send("POST /v1/toggle HT");
  body.Send("POST /v1/toggle HTTP/1.1\r\nContent-Length: 10\r\n\r\n{");
  EXPECT_TRUE(silent.Closed());
  EXPECT_TRUE(half.Closed());
  EXPECT_TRUE(body.Closed());
  EXPECT_TRUE(Soon([&] { return server_->counters().timed_out == 3; }));
  EXPECT_TRUE(service_.asked().empty());
}

TEST_F(ServerTest, AServiceThatDoesNotAnswerIsTimedOut) {
  options_.answer_time = Milliseconds(50);
  Start();
  service_.hold = true;
  EXPECT_EQ(Ask("POST", "/v1/finish").error().code, Errc::kTimeout);
  EXPECT_EQ(server_->counters().unanswered, 1u);
  for (auto& [answer, value] : service_.TakeHeld()) answer(std::move(value));  // too late: ignored
  service_.hold = false;
  EXPECT_TRUE(Ask("POST", "/v1/finish"));
}

TEST_F(ServerTest, AForgottenAnswerIsAnError) {
  Start();
  service_.hold = true;
  std::thread forget([&] { EXPECT_TRUE(Soon([&] { return !service_.TakeHeld().empty(); })); });
  EXPECT_EQ(Ask("POST", "/v1/finish").error().code, Errc::kInternal);
  forget.join();
}

TEST_F(ServerTest, EventsReachEverySubscriberInOrder) {
  Start();
  Mutex mutex;
  std::vector<std::string> all, some;
  std::atomic<int> ready{0};
  const auto follow = [&](const char* target, std::vector<std::string>& into) {
    const auto done = ControlClient(options_.socket)
                          .Follow("GET", target, [&](std::string_view name, const json& data) {
                            if (name == "status") ++ready;
                            const MutexLock guard(mutex);
                            into.push_back(fmt::format("{} {}", name, data.value("n", -1)));
                            return data.value("n", -1) != 2;
                          });
    EXPECT_TRUE(done) << done.error().what;
  };
  std::thread one([&] { follow("/v1/events", all); });
  std::thread two([&] { follow("/v1/events?only=text", some); });
  ASSERT_TRUE(Soon([&] { return ready == 2; }));
  EXPECT_TRUE(server_->has_subscribers());
  server_->Publish("text", {{"n", 0}});
  server_->Publish("partial", {{"n", 1}});
  server_->Publish("text", {{"n", 2}});
  one.join();
  two.join();
  EXPECT_THAT(all, ElementsAre("status -1", "text 0", "partial 1", "text 2"));
  EXPECT_THAT(some, ElementsAre("status -1", "text 0", "text 2"));
  EXPECT_TRUE(Soon([&] { return !server_->has_subscribers(); }));
}

TEST_F(ServerTest, AReaderThatDoesNotReadIsDroppedAndCounted) {
  options_.events_waiting = 8;
  Start();
  const RawClient asleep(options_.socket), awake(options_.socket);
  asleep.Send("GET /v1/events HTTP/1.1\r\n\r\n");
  awake.Send("GET /v1/events?only=none HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Soon([&] { return server_->counters().subscribers == 2; }));
  const json large = {{"text", std::string(50'000, 'x')}};
  ASSERT_TRUE(Soon([&] {
    server_->Publish("text", large);
    return server_->counters().slow_readers == 1;
  }));
  EXPECT_TRUE(Soon([&] { return server_->counters().subscribers == 1; }));
  EXPECT_TRUE(Ask("GET", "/v1/status"));
}

TEST_F(ServerTest, AReaderThatStopsReadingWithoutManyEventsIsDroppedToo) {
  options_.write_time = Milliseconds(50);
  Start();
  const RawClient asleep(options_.socket);
  asleep.Send("GET /v1/events HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Soon([&] { return server_->counters().subscribers == 1; }));
  server_->Publish("text", {{"text", std::string(500'000, 'x')}});
  EXPECT_TRUE(Soon([&] { return server_->counters().slow_readers == 1; }));
}

TEST_F(ServerTest, IdleStreamsAreKeptAliveAndDeadOnesAreNoticed) {
  options_.keep_alive = Milliseconds(20);
  Start();
  RawClient raw(options_.socket);
  raw.Send("GET /v1/events HTTP/1.1\r\n\r\n");
  EXPECT_THAT(raw.Receive("\n:\n"), HasSubstr("event: status"));
  raw.HangUp();
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 0; }));
  EXPECT_FALSE(server_->has_subscribers());
}

TEST_F(ServerTest, AYieldLastsAsLongAsItsClient) {
  Start();
  RawClient raw(options_.socket);
  raw.Send("POST /v1/yield HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"who\":\"game\"}");
  EXPECT_THAT(raw.Receive("\n\n"), HasSubstr("event: yielded\ndata: {\"freed_bytes\":1000}"));
  EXPECT_EQ(service_.yields, 1);
  raw.HangUp();
  EXPECT_TRUE(Soon([&] { return service_.yields == 0; }));
  EXPECT_THAT(service_.asked(), ElementsAre("yield 1 game", "end yield 1"));
}

TEST_F(ServerTest, AYieldMayEndBeforeItBegan) {
  Start();
  service_.hold = true;
  RawClient raw(options_.socket);
  raw.Send("POST /v1/yield HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Soon([&] { return service_.yields == 1; }));
  raw.HangUp();
  EXPECT_TRUE(Soon([&] { return service_.yields == 0; }));
  for (auto& [answer, value] : service_.TakeHeld()) answer(std::move(value));
}

TEST_F(ServerTest, ARefusedYieldIsAnErrorAndHasNoEnd) {
  Start();
  const auto refused = ControlClient(options_.socket)
                           .Follow("POST", "/v1/yield", [](auto, const auto&) { return true; },
                                   nullptr, {{"who", "refused"}});
  EXPECT_EQ(refused.error().code, Errc::kBusy);
  server_.reset();
  EXPECT_THAT(service_.asked(), ElementsAre("yield 1 refused"));
}

TEST_F(ServerTest, SamplesAreHandedOverByTheirDescriptor) {
  Start();
  const std::vector<float> samples(1000, 0.5F);
  const auto sealed = MakeSealedMemory("test", std::as_bytes(std::span(samples)));
  ASSERT_TRUE(sealed);
  const auto answer = Ask("POST", "/v1/recognize", {{"fd", sealed->get()}, {"language", "de"}});
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ((*answer)["bytes"], 4000);
  EXPECT_TRUE(Soon([&] { return service_.recognitions == 0; }));
  EXPECT_THAT(service_.asked(), ElementsAre("recognise 1 de", "end recognition 1"));

  const auto none = Ask("POST", "/v1/recognize", {{"fd", 987'654}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kInvalid);
  EXPECT_THAT(none.error().what, HasSubstr("no file descriptor 987654"));
  const auto open = headroom::Open("/dev/null", O_RDONLY);  // not sealed
  EXPECT_EQ(Ask("POST", "/v1/recognize", {{"fd", open->get()}}).error().code, Errc::kProtocol);
}

TEST_F(ServerTest, ARecognitionIsWaitedForAndGivenUpWithItsClient) {
  options_.answer_time = Milliseconds(50);
  Start();
  service_.hold = true;
  const auto sealed = MakeSealedMemory("test", std::as_bytes(std::span("samples")));
  const json body{{"fd", sealed->get()}};
  CancelToken cancel;
  std::thread asking([&] {
    const auto given_up =
        ControlClient(options_.socket).Ask("POST", "/v1/recognize", body, Milliseconds(0), &cancel);
    EXPECT_EQ(given_up.error().code, Errc::kCancelled);
  });
  EXPECT_TRUE(Soon([&] { return service_.recognitions == 1; }));
  std::this_thread::sleep_for(Milliseconds(200));  // longer than other answers may take
  EXPECT_EQ(server_->counters().unanswered, 0u);
  EXPECT_EQ(service_.recognitions, 1);
  cancel.Raise();
  asking.join();
  EXPECT_TRUE(Soon([&] { return service_.recognitions == 0; }));
  for (auto& [answer, value] : service_.TakeHeld()) answer(std::move(value));
}

TEST_F(ServerTest, TheEndOfTheServerEndsEverything) {
  Start();
  const RawClient events(options_.socket), yield(options_.socket), idle(options_.socket);
  events.Send("GET /v1/events HTTP/1.1\r\n\r\n");
  yield.Send("POST /v1/yield HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Soon([&] { return service_.yields == 1 && server_->has_subscribers(); }));
  std::thread asking([&] {
    service_.hold = true;
    EXPECT_FALSE(Ask("POST", "/v1/finish"));
  });
  ASSERT_TRUE(Soon([&] { return service_.asked().back() == "finish"; }));
  server_.reset();
  asking.join();
  EXPECT_EQ(service_.yields, 0);
  EXPECT_TRUE(idle.Closed());
  for (auto& [answer, value] : service_.TakeHeld()) answer(std::move(value));
}

TEST_F(ServerTest, AThousandConnectionsDoNotLockOthersOut) {
  options_.most_connections = 64;
  Start();
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 1000; ++i) {
    auto raw = std::make_unique<RawClient>(options_.socket);
    ASSERT_TRUE(raw->connected()) << i;
    if (i % 3 == 0) raw->Send("GET /v1/st");
    idle.push_back(std::move(raw));
    if (idle.size() > 500) idle.erase(idle.begin());  // our own descriptors are limited too
  }
  const auto status = Ask("GET", "/v1/status");
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_LE((*status)["control"]["open"], 66);
  EXPECT_GE(server_->counters().evicted_idle, 400u);
  idle.clear();
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 0; }));
}

TEST_F(ServerTest, StreamsAreNotEvicted) {
  options_.most_connections = 2;
  Start();
  const RawClient one(options_.socket), two(options_.socket);
  one.Send("GET /v1/events HTTP/1.1\r\n\r\n");
  two.Send("GET /v1/events HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(Soon([&] { return server_->counters().subscribers == 2; }));
  EXPECT_FALSE(Ask("GET", "/v1/status"));
  EXPECT_TRUE(Soon([&] { return server_->counters().refused_full == 1; }));
  EXPECT_EQ(server_->counters().subscribers, 2u);
}

TEST_F(ServerTest, AnotherUserIsTurnedAway) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  Start();
  // Even when both are open to everyone, the peer is checked as well.
  fs::permissions(folder_, fs::perms::all);
  fs::permissions(options_.socket, fs::perms::all);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(2);
    const RawClient raw(options_.socket);
    raw.Send(kGet);
    ::_exit(raw.connected() && raw.Receive().empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Soon([&] { return server_->counters().refused_peers == 1; }));
}

TEST(EventParser, TakesAnyPieces) {
  const std::string text =
      ":\n\nid: 1\nevent: status\ndata: {}\n\nevent:text\r\ndata: a\ndata: b\r\n\r\n\n\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EventParser parser;
    std::vector<std::string> events;
    for (std::size_t at = 0; at < text.size(); at += piece)
      ASSERT_TRUE(parser.Feed(std::string_view(text).substr(at, piece),
                              [&](const EventParser::Event& event) {
                                events.push_back(event.name + "=" + event.data);
                              }));
    EXPECT_THAT(events, ElementsAre("status={}", "text=a\nb"));
  }
  EventParser parser;
  EXPECT_FALSE(parser.Feed("data: " + std::string(2 << 20, 'x'), [](const auto&) {}));
}

}  // namespace
}  // namespace headroom::net
