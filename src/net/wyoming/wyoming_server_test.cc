#include "net/wyoming/wyoming_server.h"

#include <gmock/gmock.h>

#include "net/testing/fake_speech.h"
#include "net/testing/raw_client.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = StreamEvent::Kind;

class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0) : raw_(port, receive_buffer) {}
  // False when it was not taken for a second, or the other side is gone.
  bool Send(std::string_view text) const { return raw_.Send(text, 1000); }
  bool Send(const WyomingEvent& event) const { return Send(WyomingText(event)); }
  // The next event's type and text, or "closed".
  std::string Next() {
    for (;;) {
      const auto event = parser_.Next();
      if (!event) return "nonsense";
      if (*event) {
        last_ = **event;
        const auto text = last_.data.find("text");
        return last_.type + (text != last_.data.end() && text->is_string()
                                 ? " " + text->get<std::string>()
                                 : "");
      }
      const std::string more = raw_.ReceiveSome();
      if (more.empty()) return "closed";
      parser_.Feed(more);
    }
  }
  const WyomingEvent& last() const { return last_; }
  void HangUp() { raw_.HangUp(); }
  void Reset() { raw_.Reset(); }

 private:
  RawClient raw_;
  WyomingParser parser_;
  WyomingEvent last_;
};

WyomingEvent Audio(std::size_t samples = 1600) {
  return {"audio-chunk",
          {{"rate", 16000}, {"width", 2}, {"channels", 1}},
          std::string(samples * 2, '\1')};
}

class WyomingServerTest : public ::testing::Test {
 protected:
  WyomingServerTest() {
    options_.listen = "127.0.0.1:0";
    options_.version = "1.2.3";
    speech_.commit_text = "Licht an.";
  }
  void Start() {
    auto server = WyomingServer::Start(options_, speech_);
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
  }
  Client Connect() const { return Client(server_->port()); }

  FakeSpeech speech_;
  WyomingOptions options_;
  std::unique_ptr<WyomingServer> server_;
};

TEST_F(WyomingServerTest, SaysWhatItHas) {
  Start();
  Client client = Connect();
  client.Send(WyomingEvent{"describe"});
  EXPECT_EQ(client.Next(), "info");
  const json& program = client.last().data["asr"][0];
  EXPECT_EQ(program["version"], "1.2.3");
  EXPECT_EQ(program["models"][0]["name"], "whisper-base");
}

TEST_F(WyomingServerTest, TwoCommandsOnOneConnection) {
  Start();
  Client client = Connect();
  std::string all;
  for (int i = 0; i < 2; ++i) {
    all += WyomingText({"transcribe", {{"language", "de"}}});
    all += WyomingText({"audio-start", {{"rate", 16000}, {"width", 2}, {"channels", 1}}});
    all += WyomingText(Audio()) + WyomingText(Audio()) + WyomingText({"audio-stop"});
  }
  client.Send(all + WyomingText({"ping", {{"text", "still there"}}}));  // all at once
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.Next(), "transcript-start");
    EXPECT_EQ(client.Next(), "transcript-chunk Licht an.");
    EXPECT_EQ(client.Next(), "transcript Licht an.");
    EXPECT_EQ(client.last().data["language"], "de");
    EXPECT_EQ(client.Next(), "transcript-stop");
  }
  EXPECT_EQ(client.Next(), "pong still there");
  const auto log = speech_.Log("session2");
  EXPECT_EQ(log.samples.size(), 3200U);
  EXPECT_EQ(log.options.request.language, "de");
  EXPECT_THAT(log.acknowledged, ElementsAre(1));
  EXPECT_TRUE(log.forgotten);
  EXPECT_TRUE(Soon([&] { return speech_.streams() == 0; }));
  EXPECT_EQ(server_->counters().transcripts, 2U);
}

TEST_F(WyomingServerTest, TextComesWhileOneSpeaks) {
  Start();
  Client client = Connect();
  client.Send(Audio());
  ASSERT_TRUE(speech_.Await("session1", [](const auto& log) { return !log.samples.empty(); }));
  StreamEvent partial;
  partial.kind = Kind::kPartial;
  partial.item = 1;
  partial.text = "Licht";
  speech_.Push("session1", partial);
  EXPECT_EQ(client.Next(), "transcript-start");
  EXPECT_EQ(client.Next(), "transcript-chunk Licht");
  client.Send(WyomingEvent{"audio-stop"});
  EXPECT_EQ(client.Next(), "transcript-chunk  an.");
  EXPECT_EQ(client.Next(), "transcript Licht an.");
}

TEST_F(WyomingServerTest, AClientThatVanishesTakesItsStreamAlong) {
  Start();
  for (const bool reset : {false, true}) {
    Client client = Connect();
    client.Send(Audio());
    ASSERT_TRUE(Soon([&] { return speech_.streams() == 1; }));
    if (reset) client.Send("{\"type\": \"audio-chunk\", \"payload_length\": 70000}\nhalf of it");
    client.HangUp();
    EXPECT_TRUE(Soon([&] { return speech_.streams() == 0; }));
  }
  EXPECT_TRUE(speech_.Log("session1").forgotten);
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 0; }));
  EXPECT_EQ(server_->counters().vanished, 2U);
}

TEST_F(WyomingServerTest, WhenTheServiceDoesNotKeepUpTheClientWaits) {
  speech_.refuse_samples = Error{Errc::kBusy, "later"};
  options_.busy_again = Milliseconds(5);
  Start();
  Client client = Connect();
  client.Send(Audio(160'123));
  ASSERT_TRUE(Soon([&] { return server_->counters().waits == 1; }));
  bool taken = true;  // until every buffer on the way is full
  for (int i = 0; i < 200 && taken; ++i) taken = client.Send(std::string(1 << 20, '{'));
  EXPECT_FALSE(taken);
  client.Reset();  // is noticed while nothing is read
  EXPECT_TRUE(Soon([&] { return speech_.streams() == 0; }));
  Client polite = Connect();
  polite.Send(Audio());
  ASSERT_TRUE(Soon([&] { return server_->counters().waits == 2; }));
  polite.HangUp();
  EXPECT_TRUE(Soon([&] { return speech_.streams() == 0; }));

  Client third = Connect();
  third.Send(WyomingText(Audio(160'123)) + WyomingText({"audio-stop"}));
  ASSERT_TRUE(Soon([&] { return server_->counters().waits == 3; }));
  speech_.Change([](FakeSpeech& fake) { fake.refuse_samples.reset(); });
  EXPECT_EQ(third.Next(), "transcript-start");
  EXPECT_EQ(speech_.Log("session3").samples.size(), 160'123U);  // each once
}

TEST_F(WyomingServerTest, BusyForTooLongIsAnError) {
  speech_.refuse_samples = Error{Errc::kBusy, "too much to do"};
  options_.busy_again = Milliseconds(5);
  options_.busy_time = Milliseconds(20);
  Start();
  Client client = Connect();
  client.Send(Audio());
  EXPECT_EQ(client.Next(), "error too much to do");
  EXPECT_EQ(client.last().data["code"], "busy");
  EXPECT_EQ(client.Next(), "closed");
  EXPECT_EQ(speech_.streams(), 0U);
}

TEST_F(WyomingServerTest, AStreamThatIsRefusedIsAnError) {
  speech_.refuse_streams = Error{Errc::kNotFound, "no such model: x"};
  Start();
  Client client = Connect();
  client.Send(WyomingText({"transcribe", {{"name", "x"}}}) + WyomingText(Audio()) +
              WyomingText(Audio(16'000)));  // what is not read must not eat the error
  EXPECT_EQ(client.Next(), "error no such model: x");
  EXPECT_EQ(client.Next(), "closed");
}

TEST_F(WyomingServerTest, NonsenseIsAnsweredAndOthersGoOn) {
  Start();
  Client good = Connect();
  good.Send(Audio());
  Client bad = Connect();
  bad.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(bad.Next(), HasSubstr("error an event begins with a JSON object"));
  EXPECT_EQ(bad.Next(), "closed");
  EXPECT_EQ(server_->counters().bad_events, 1U);
  good.Send(WyomingEvent{"audio-stop"});
  EXPECT_EQ(good.Next(), "transcript-start");
}

TEST_F(WyomingServerTest, ClientsThatDoNotReadAreDropped) {
  options_.bytes_waiting = KiB(16);
  Start();
  Client client(server_->port(), 4096);
  const std::string ping = WyomingText({"ping", {{"text", std::string(4000, 'x')}}});
  for (int i = 0; i < 10'000 && server_->counters().slow_readers == 0; ++i) {
    if (!client.Send(ping)) break;
  }
  EXPECT_TRUE(Soon([&] { return server_->counters().slow_readers == 1; }));
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 0; }));
}

TEST_F(WyomingServerTest, NobodyHoldsAConnectionForNothing) {
  options_.idle_time = options_.audio_time = Milliseconds(30);
  Start();
  Client idle = Connect();
  idle.Send("{\"type\":");  // half an event is none
  EXPECT_EQ(idle.Next(), "closed");
  Client silent = Connect();
  silent.Send(Audio());
  EXPECT_EQ(silent.Next(), "error no audio came for too long");
  EXPECT_EQ(silent.Next(), "closed");
  EXPECT_EQ(server_->counters().timed_out, 2U);
  EXPECT_TRUE(Soon([&] { return speech_.streams() == 0; }));
}

TEST_F(WyomingServerTest, TheOldestIdleConnectionMakesRoom) {
  options_.most_connections = 2;
  Start();
  Client busy = Connect();
  busy.Send(Audio());
  ASSERT_TRUE(Soon([&] { return speech_.streams() == 1; }));
  Client idle = Connect();
  idle.Send(WyomingEvent{"ping"});
  EXPECT_EQ(idle.Next(), "pong");
  Client third = Connect();
  EXPECT_EQ(idle.Next(), "closed");
  third.Send(Audio());
  ASSERT_TRUE(Soon([&] { return speech_.streams() == 2; }));
  EXPECT_EQ(Connect().Next(), "closed");  // none is idle
  EXPECT_EQ(server_->counters().evicted_idle, 1U);
  EXPECT_EQ(server_->counters().refused_full, 1U);
}

TEST_F(WyomingServerTest, ManyConnectsLeaveNothing) {
  Start();
  Client before = Connect();
  for (int i = 0; i < 500; ++i) Connect().Send("{\"type\": \"describe\"}\n");
  before.Send(WyomingEvent{"ping"});
  EXPECT_EQ(before.Next(), "pong");
  EXPECT_TRUE(Soon([&] { return server_->counters().open == 1; }));
}

TEST_F(WyomingServerTest, TheEndIsSaid) {
  Start();
  Client client = Connect();
  client.Send(Audio());
  ASSERT_TRUE(Soon([&] { return speech_.streams() == 1; }));
  server_.reset();
  EXPECT_EQ(client.Next(), "error the service ends");
  EXPECT_EQ(client.Next(), "closed");
  EXPECT_EQ(speech_.streams(), 0U);
}

TEST_F(WyomingServerTest, WhoMayIsSaidOrItDoesNotListen) {
  const auto start = [&](std::string listen, std::vector<std::string> allow) {
    options_.listen = std::move(listen);
    options_.allow = std::move(allow);
    const auto server = WyomingServer::Start(options_, speech_);
    return server ? (*server)->Notice() : server.error().what;
  };
  EXPECT_THAT(start("0.0.0.0:0", {}), HasSubstr("wyoming.allow has to name who may connect"));
  EXPECT_THAT(start("[::]:0", {}), HasSubstr("has no authentication"));
  EXPECT_THAT(start("0.0.0.0:0", {"192.168.1.0/24", "10.0.0.7"}),
              HasSubstr("for 192.168.1.0/24, 10.0.0.7; the protocol has no authentication"));
  EXPECT_THAT(start("127.0.0.1:0", {}), HasSubstr("for this machine"));
  EXPECT_THAT(start("10300", {}), HasSubstr("wyoming.listen: 10300: "));
  EXPECT_THAT(start("127.0.0.1:0", {"lan"}), HasSubstr("wyoming.allow: lan: "));
  EXPECT_THAT(start("203.0.113.1:10300", {"10.0.0.7"}),
              HasSubstr("wyoming.listen: 203.0.113.1:10300"));

  options_.listen = "127.0.0.1:0";
  Start();
  const auto taken = fmt::format("127.0.0.1:{}", server_->port());
  EXPECT_THAT(start(taken, {}), HasSubstr("another program listens there"));
}

}  // namespace
}  // namespace headroom::net
