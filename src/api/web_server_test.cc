#include "api/web_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "api/fake_service.h"
#include "api/fake_speech.h"
#include "api/tokens.h"
#include "base/file.h"

namespace headroom::api {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kGenerous = 20'000;  // ms; only reached when something is broken

// A connection that sends what it is told and nothing else.
class Raw {
 public:
  explicit Raw(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  bool connected() const { return connected_; }
  bool Send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Until the other side closes, or `enough` is in it.
  std::string Receive(std::string_view enough = "\x01never\x01") const {
    std::string all;
    char bytes[4096];
    while (all.find(enough) == std::string::npos) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, kGenerous) != 1) return all + "<nothing came>";
      const ssize_t count = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
      if (count <= 0) return all;
      all.append(bytes, static_cast<std::size_t>(count));
    }
    return all;
  }
  bool Closed() const {
    pollfd ready{fd_.get(), POLLIN, 0};
    char byte = 0;
    return ::poll(&ready, 1, kGenerous) == 1 && ::recv(fd_.get(), &byte, 1, 0) <= 0;
  }
  void HangUp() { fd_.Reset(); }

 private:
  Fd fd_;
  bool connected_ = false;
};

std::string Part(const std::string& name, const std::string& value) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}
std::string File(const std::string& bytes) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../a.wav\"\r\n"
         "Content-Type: audio/wav\r\n\r\n" +
         bytes + "\r\n";
}
constexpr const char* kEnd = "--xyz--\r\n";

std::string Upload(const std::string& form, const std::string& more = "",
                   const std::string& path = "/v1/audio/transcriptions") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more +
         "Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: " +
         std::to_string(form.size()) + "\r\n\r\n" + form;
}
std::string Get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}
std::string Body(const std::string& answer) {
  const std::size_t at = answer.find("\r\n\r\n");
  return at == std::string::npos ? "" : answer.substr(at + 4);
}

class WebServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/headroom_web.XXXXXX";
    folder_ = ::mkdtemp(name.data());
    options_.listen = "127.0.0.1:0";
    options_.spool = folder_ / "uploads";
    options_.tokens = folder_ / "tokens";
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(folder_);
  }
  void Start() {
    auto started = WebServer::Start(options_, speech_, &control_);
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }
  Raw Connect(int receive_buffer = 0) { return Raw(server_->port(), receive_buffer); }
  // The whole answer; the connection is closed after it.
  std::string Ask(const std::string& request) {
    Raw client = Connect();
    client.Send(request);
    const std::string answer = client.Receive("\r\n\r\n");
    if (answer.find("Connection: close") != std::string::npos) return answer + client.Receive();
    const std::size_t at = answer.find("Content-Length: ");
    if (at == std::string::npos) return answer;
    const auto length = static_cast<std::size_t>(std::atoll(answer.c_str() + at + 16));
    std::string whole = answer;
    while (Body(whole).size() < length) {
      // The rest comes in one piece or a few.
      const std::string more = client.Receive(std::string_view("\n"));
      if (more.empty() || more.ends_with("<nothing came>")) break;
      whole += more;
    }
    return whole;
  }
  template <class What>
  bool Await(What what) {
    for (int i = 0; i < kGenerous / 5; ++i) {
      if (what()) return true;
      std::this_thread::sleep_for(Milliseconds(5));
    }
    return false;
  }

  fs::path folder_;
  WebOptions options_;
  FakeSpeech speech_;
  FakeService control_;
  std::unique_ptr<WebServer> server_;
};

std::string Post(const std::string& path, const std::string& body, const std::string& more = "",
                 const std::string& type = "application/json") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "Content-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(WebServerTest, ARecordingBecomesText) {
  Start();
  const std::string audio(300'000, 'a');
  const std::string answer =
      Ask(Upload(Part("model", "whisper-1") + Part("language", "de") + Part("prompt", "Headroom") +
                 Part("temperature", "0.2") + File(audio) + kEnd));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  const json body = json::parse(Body(answer));
  EXPECT_EQ(body["text"], "Guten Tag. How are you?");
  EXPECT_EQ(body["usage"]["seconds"], 4);
  ASSERT_EQ(speech_.asked().size(), 1u);
  const FakeSpeech::Asked asked = speech_.asked()[0];
  EXPECT_EQ(asked.size, 300'000);
  EXPECT_EQ(asked.mode, 0600u);
  EXPECT_EQ(asked.request.language, "de");
  EXPECT_EQ(asked.request.prompt, "Headroom");
  EXPECT_EQ(asked.request.translate_to, "");
  EXPECT_TRUE(fs::is_empty(folder_ / "uploads")) << "the file has no name";
  EXPECT_TRUE(Await([&] { return speech_.jobs() == 0; }));
  EXPECT_EQ(speech_.cancelled(), 0u);
  EXPECT_EQ(server_->counters().uploads, 1u);
}

TEST_F(WebServerTest, TheFormMayComeInAnyOrderAndInPieces) {
  Start();
  Raw client = Connect();
  const std::string request =
      Upload(File("RIFF") + Part("response_format", "text") + kEnd, "", "/v1/audio/translations");
  for (const char c : request) ASSERT_TRUE(client.Send(std::string_view(&c, 1)));
  EXPECT_THAT(client.Receive("you?"), HasSubstr("\r\n\r\nGuten Tag. How are you?"));
  EXPECT_EQ(speech_.asked()[0].request.translate_to, "en");
}

TEST_F(WebServerTest, AConnectionIsUsedAgain) {
  Start();
  Raw client = Connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(Upload(File("RIFF") + kEnd)));
    EXPECT_THAT(client.Receive("}\n"), HasSubstr("Guten Tag."));
    ASSERT_TRUE(client.Send(Get("/livez")));
    EXPECT_THAT(client.Receive("alive\n"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(server_->counters().connections, 1u);
}

TEST_F(WebServerTest, AStreamHasDeltasThatAddUpToTheText) {
  Start();
  const std::string answer = Ask(Upload(Part("stream", "true") + File("RIFF") + kEnd));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/event-stream"));
  std::string deltas, done;
  std::string_view rest = answer;
  for (std::size_t at; (at = rest.find("data: ")) != std::string_view::npos;) {
    rest.remove_prefix(at + 6);
    const json data = json::parse(rest.substr(0, rest.find('\n')));
    if (data["type"] == "transcript.text.delta") deltas += data["delta"];
    if (data["type"] == "transcript.text.done") done = data["text"];
  }
  EXPECT_EQ(deltas, "Guten Tag. How are you?");
  EXPECT_EQ(done, deltas);
}

TEST_F(WebServerTest, TheServicesErrorsAreOpenAis) {
  Start();
  const auto refusal = [&](Errc code, const std::string& more = "") {
    speech_.Change([&](FakeSpeech& fake) {
      fake.script.segments.clear();
      fake.script.error = Error{code, "the reason"};
    });
    return Ask(Upload(more + File("RIFF") + kEnd));
  };
  EXPECT_THAT(refusal(Errc::kBusy),
              AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("Retry-After: 1"),
                    HasSubstr("\"type\":\"rate_limit_error\""), HasSubstr("the reason")));
  EXPECT_THAT(refusal(Errc::kCorrupt),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("\"param\":\"file\""),
                    HasSubstr("\"type\":\"invalid_request_error\"")));
  EXPECT_THAT(refusal(Errc::kWorkerLost),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After")));
  EXPECT_THAT(refusal(Errc::kInternal), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(refusal(Errc::kCorrupt, Part("stream", "true")), StartsWith("HTTP/1.1 400"))
      << "nothing was sent yet, so it need not be an event";
  speech_.Change([](FakeSpeech& fake) {
    fake.script.segments = {{Milliseconds(0), Milliseconds(1), "Word", {}}};
  });
  const std::string late = Ask(Upload(Part("stream", "true") + File("RIFF") + kEnd));
  EXPECT_THAT(late, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("event: error\n"),
                          HasSubstr("\"message\":\"the reason\"")));
}

TEST_F(WebServerTest, WhatIsWrongWithAFormIsSaid) {
  Start();
  const auto why = [&](const std::string& form) { return Ask(Upload(form)); };
  EXPECT_THAT(why(Part("model", "other") + File("x") + kEnd),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("model_not_found")));
  EXPECT_THAT(why(std::string(kEnd)),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("there is no file")));
  EXPECT_THAT(why(File("") + kEnd), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("empty")));
  EXPECT_THAT(why(Part("file", "x") + kEnd), HasSubstr("filename is missing"));
  EXPECT_THAT(why(File("x") + File("y") + kEnd), HasSubstr("twice"));
  EXPECT_THAT(why(Part("temprature", "1") + File("x") + kEnd),
              HasSubstr("did you mean \\\"temperature\\\"?"));
  EXPECT_THAT(why(Part("prompt", std::string(70'000, 'x')) + File("x") + kEnd),
              HasSubstr("too long"));
  EXPECT_THAT(why(File("x")), HasSubstr("ends before its last boundary"));
  EXPECT_THAT(why("nonsense"), HasSubstr("boundary"));
  EXPECT_THAT(Ask("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
              StartsWith("HTTP/1.1 415"));
  EXPECT_TRUE(speech_.asked().empty());
  EXPECT_THAT(why(File("x") + kEnd), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, ARecordingBeyondTheLimitIsRefusedWithoutReadingIt) {
  options_.upload_limit = KiB(100);
  Start();
  EXPECT_THAT(Ask("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: multipart/form-data; boundary=xyz\r\n"
                  "Content-Length: 99000000000\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 413"), HasSubstr("100.0 KiB")));
  // In chunks its length is not known before.
  Raw client = Connect();
  ASSERT_TRUE(
      client.Send("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: multipart/form-data; boundary=xyz\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n"));
  const std::string head = "--xyz\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n";
  client.Send(fmt::format("{:x}\r\n{}\r\n", head.size(), head));
  for (int i = 0; i < 20; ++i)
    if (!client.Send(fmt::format("{:x}\r\n{}\r\n", 10'000, std::string(10'000, 'a')))) break;
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(speech_.asked().empty());
}

TEST_F(WebServerTest, AClientThatAsksFirstIsToldToSend) {
  Start();
  Raw client = Connect();
  const std::string form = File("RIFF") + kEnd;
  ASSERT_TRUE(client.Send(
      fmt::format("POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nExpect: "
                  "100-continue\r\nContent-Type: multipart/form-data; boundary=xyz\r\n"
                  "Content-Length: {}\r\n\r\n",
                  form.size())));
  EXPECT_THAT(client.Receive("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  ASSERT_TRUE(client.Send(form));
  EXPECT_THAT(client.Receive("}\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, AServiceThatIsNotReadySaysWhyAndWhenToComeAgain) {
  Start();
  speech_.Change([](FakeSpeech& fake) {
    fake.state.ready = false;
    fake.state.reason = "memory is critical";
    fake.state.zone = "critical";
    fake.state.retry_after = Milliseconds(12'300);
  });
  const auto refused = AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: 13"),
                             HasSubstr("memory is critical"));
  EXPECT_THAT(Ask(Upload(File("RIFF") + kEnd)), refused);
  EXPECT_THAT(Ask(Get("/readyz")), refused);
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200")) << "nothing must restart it";
  EXPECT_EQ(server_->counters().refused_busy, 1u);
  EXPECT_TRUE(speech_.asked().empty());
}

TEST_F(WebServerTest, MoreUploadsThanItTakesAreBusy) {
  options_.most_uploads = 1;
  options_.upload_wait = Milliseconds(10);
  Start();
  Raw first = Connect();
  const std::string request = Upload(File(std::string(1'000'000, 'a')) + kEnd);
  ASSERT_TRUE(first.Send(request.substr(0, request.size() - 10)));
  ASSERT_TRUE(Await([&] { return server_->counters().requests == 1; }));
  EXPECT_THAT(Ask(request), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("Retry-After")));
  first.HangUp();
  ASSERT_TRUE(Await([&] { return server_->counters().vanished == 1; }));
  EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, AnUploadThatHardlyComesMakesRoomForAnother) {
  options_.most_uploads = 2;
  Start();
  const std::string request = Upload(File(std::string(1000, 'a')) + kEnd);
  Raw first = Connect(), second = Connect();
  ASSERT_TRUE(first.Send(request.substr(0, request.size() - 900)));
  ASSERT_TRUE(Await([&] { return server_->counters().requests == 1; }));
  ASSERT_TRUE(second.Send(request.substr(0, request.size() - 900)));
  ASSERT_TRUE(Await([&] { return server_->counters().requests == 2; }));
  EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(first.Receive("}}"), AllOf(StartsWith("HTTP/1.1 408"), HasSubstr("too_slow")));
  EXPECT_EQ(server_->counters().timed_out, 1u);
  ASSERT_TRUE(second.Send(request.substr(request.size() - 900)));
  EXPECT_THAT(second.Receive("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, AClientThatGoesAwayTakesItsJobAlong) {
  speech_.script.delay = Milliseconds(60'000);
  Start();
  for (const char* stream : {"false", "true"}) {
    const std::size_t before = speech_.cancelled();
    Raw client = Connect();
    ASSERT_TRUE(client.Send(Upload(Part("stream", stream) + File("RIFF") + kEnd)));
    ASSERT_TRUE(Await([&] { return speech_.jobs() == 1; }));
    client.HangUp();
    EXPECT_TRUE(Await([&] { return speech_.cancelled() == before + 1; }));
    EXPECT_TRUE(Await([&] { return speech_.jobs() == 0; }));
  }
  EXPECT_EQ(server_->counters().vanished, 2u);
}

TEST_F(WebServerTest, AnEndingServerSaysSoToThoseWhoWait) {
  speech_.script.delay = Milliseconds(60'000);
  Start();
  Raw waiting = Connect(), idle = Connect();
  ASSERT_TRUE(waiting.Send(Upload(File("RIFF") + kEnd)));
  ASSERT_TRUE(Await([&] { return speech_.jobs() == 1; }));
  server_.reset();
  EXPECT_THAT(waiting.Receive(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("ends")));
  EXPECT_TRUE(idle.Closed());
  EXPECT_EQ(speech_.cancelled(), 1u);
}

TEST_F(WebServerTest, AReaderThatDoesNotReadIsBoundedAndOthersNoticeNothing) {
  options_.bytes_waiting = KiB(64);
  speech_.script.segments.assign(20'000,
                                 {Milliseconds(0), Milliseconds(1), std::string(1000, 'w'), {}});
  Start();
  Raw client = Connect(4096);
  ASSERT_TRUE(client.Send(Upload(Part("stream", "true") + File("RIFF") + kEnd)));
  EXPECT_TRUE(Await([&] { return server_->counters().slow_readers == 1; }));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(Await([&] { return speech_.jobs() == 0; }));
}

TEST_F(WebServerTest, AnAnswerBeyondTheLimitIsAnError) {
  options_.answer_limit = KiB(10);
  speech_.script.segments.assign(100,
                                 {Milliseconds(0), Milliseconds(1), std::string(1000, 'w'), {}});
  Start();
  EXPECT_THAT(Ask(Upload(File("RIFF") + kEnd)),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("longer than one answer")));
}

TEST_F(WebServerTest, WhoeverSendsSlowlyIsCutOff) {
  options_.header_time = Milliseconds(300);
  options_.body_time = Milliseconds(300);
  Start();
  Raw silent = Connect(), drip = Connect(), body = Connect();
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
  EXPECT_TRUE(Await([&] { return server_->counters().timed_out == 3; }));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, ABodyThatDripsIsTooSlow) {
  options_.body_time = Milliseconds(200);
  options_.slowest_upload = 1'000'000;
  Start();
  Raw client = Connect();
  const std::string request = Upload(File(std::string(100'000, 'a')) + kEnd);
  std::jthread dripping([&](const std::stop_token& stop) {
    for (std::size_t at = 0; at + 100 < request.size(); at += 100) {
      if (stop.stop_requested() || !client.Send(request.substr(at, 100))) return;
      std::this_thread::sleep_for(Milliseconds(10));
    }
  });
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 408"));
  dripping.request_stop();
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
  Raw client = Connect();
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
  EXPECT_THAT(why(), HasSubstr("somebody else has this port"));
}

TEST_F(WebServerTest, ConnectionsAreBoundedAndTheOldestIdleOneMakesRoom) {
  options_.most_connections = 3;
  Start();
  std::vector<std::unique_ptr<Raw>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<Raw>(server_->port()));
    ASSERT_TRUE(clients.back()->connected());
  }
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(clients[static_cast<std::size_t>(i)]->Closed()) << i;
  EXPECT_TRUE(clients[9]->Send(Get("/livez")));
  EXPECT_THAT(clients[9]->Receive("alive\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server_->counters().evicted_idle, 7u);
  EXPECT_LE(server_->counters().open, 3u);
}

TEST_F(WebServerTest, OneConnectionMayNotAskWithoutEnd) {
  options_.requests_per_second = 5;
  Start();
  Raw client = Connect();
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Get("/livez");
  ASSERT_TRUE(client.Send(requests));
  const std::string answers = client.Receive();
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answers, HasSubstr("HTTP/1.1 429"));
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
  Raw client = Connect();
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
  const auto open = [&](const Raw& client, const std::string& token) {
    client.Send(Get("/v1/realtime",
                    "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key." +
                        token + "\r\n"));
    return client.Receive("session.created");
  };
  Raw first = Connect(), second = Connect();
  EXPECT_THAT(open(first, phone), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(open(second, tower), StartsWith("HTTP/1.1 101"));
  ASSERT_TRUE(Await([&] { return server_->counters().open == 2; }));
  ASSERT_TRUE(RevokeToken(options_.tokens, "phone"));
  EXPECT_THAT(first.Receive(), Not(HasSubstr("<nothing came>")));
  EXPECT_TRUE(Await([&] { return server_->counters().open == 1; }));
  server_.reset();
  EXPECT_THAT(second.Receive(), Not(HasSubstr("<nothing came>")));
  EXPECT_EQ(speech_.streams(), 0u);
}

TEST_F(WebServerTest, ACommandIsAnsweredByTheControlSocketsService) {
  Start();
  Raw client = Connect();
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

TEST_F(WebServerTest, EventsHaveNoWordThatWasSpoken) {
  Start();
  Raw client = Connect();
  ASSERT_TRUE(client.Send(Get("/api/events")));
  const std::string head = client.Receive("\n\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_TRUE(Await([&] { return server_->has_subscribers(); }));
  server_->Publish("partial", {{"committed", "secret"}});
  server_->Publish("text", {{"utterance", 7}, {"text", "secret"}, {"latency_ms", 180}});
  const std::string event = client.Receive("180");
  EXPECT_THAT(event, HasSubstr("event: text\ndata: {\"latency_ms\":180"));
  EXPECT_THAT(event, Not(HasSubstr("secret")));
  EXPECT_EQ(server_->counters().subscribers, 1u);
  client.HangUp();
  EXPECT_TRUE(Await([&] { return !server_->has_subscribers(); }));
}

TEST_F(WebServerTest, AFollowerThatDoesNotReadIsClosedAndTheOthersGoOn) {
  options_.bytes_waiting = KiB(64);
  options_.most_subscribers = 2;
  Start();
  Raw slow = Connect(4096), quick = Connect();
  ASSERT_TRUE(slow.Send(Get("/api/events")));
  ASSERT_TRUE(quick.Send(Get("/api/events")));
  EXPECT_TRUE(Await([&] { return server_->counters().subscribers == 2; }));
  EXPECT_THAT(Ask(Get("/api/events")), StartsWith("HTTP/1.1 429"));
  quick.Receive("\n\n");
  const std::string reason(20'000, 'x');
  int sent = 0;
  EXPECT_TRUE(Await([&] {
    server_->Publish("zone", {{"gauge", "RAM"}, {"reason", reason + std::to_string(++sent)}});
    quick.Receive("x" + std::to_string(sent) + "\"");
    return server_->counters().slow_readers == 1;
  }));
  EXPECT_EQ(server_->counters().subscribers, 1u);
  server_->Publish("zone", {{"gauge", "last"}});
  EXPECT_THAT(quick.Receive("last"), HasSubstr("last"));
  server_.reset();
  EXPECT_TRUE(quick.Closed());
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
    Raw client = Connect();
    client.Send(Post("/api/drain", "{}"));
  }
  control_.TakeHeld().clear();  // answered too late, and to nobody
  EXPECT_TRUE(Await([&] { return server_->counters().open == 0; }));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace headroom::api
