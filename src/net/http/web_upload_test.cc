#include <nlohmann/json.hpp>
#include <thread>

#include "net/testing/web_server_fixture.h"

namespace headroom::net {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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
  EXPECT_TRUE(Soon([&] { return speech_.jobs() == 0; }));
  EXPECT_EQ(speech_.cancelled(), 0u);
  EXPECT_EQ(server_->counters().uploads, 1u);
}

TEST_F(WebServerTest, TheFormMayComeInAnyOrderAndInPieces) {
  Start();
  RawClient client = Connect();
  const std::string request =
      Upload(File("RIFF") + Part("response_format", "text") + kEnd, "", "/v1/audio/translations");
  for (const char c : request) ASSERT_TRUE(client.Send(std::string_view(&c, 1)));
  EXPECT_THAT(client.Receive("you?"), HasSubstr("\r\n\r\nGuten Tag. How are you?"));
  EXPECT_EQ(speech_.asked()[0].request.translate_to, "en");
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

TEST_F(WebServerTest, ARefusedRecordingIsAnsweredAndTheConnectionIsUsedAgain) {
  Start();
  speech_.Change([](FakeSpeech& fake) {
    fake.refuse_recordings = Error{Errc::kBusy, "the service is being drained"};
  });
  RawClient client = Connect();
  for (const char* stream : {"false", "true"}) {
    ASSERT_TRUE(client.Send(Upload(Part("stream", stream) + File("RIFF") + kEnd)));
    EXPECT_THAT(client.Receive("}\n"), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("drained")));
  }
  speech_.Change([](FakeSpeech& fake) { fake.refuse_recordings.reset(); });
  ASSERT_TRUE(client.Send(Upload(File("RIFF") + kEnd)));
  EXPECT_THAT(client.Receive("}\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(speech_.asked().size(), 1u);
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
  RawClient client = Connect();
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

TEST_F(WebServerTest, AClientThatExpectsContinueGetsIt) {
  Start();
  RawClient client = Connect();
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
  RawClient first = Connect();
  const std::string request = Upload(File(std::string(1'000'000, 'a')) + kEnd);
  ASSERT_TRUE(first.Send(request.substr(0, request.size() - 10)));
  ASSERT_TRUE(Soon([&] { return server_->counters().requests == 1; }));
  EXPECT_THAT(Ask(request), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("Retry-After")));
  first.HangUp();
  ASSERT_TRUE(Soon([&] { return server_->counters().vanished == 1; }));
  EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebServerTest, AnUploadThatHardlyComesMakesRoomForAnother) {
  options_.most_uploads = 2;
  Start();
  const std::string request = Upload(File(std::string(1000, 'a')) + kEnd);
  RawClient first = Connect(), second = Connect();
  ASSERT_TRUE(first.Send(request.substr(0, request.size() - 900)));
  ASSERT_TRUE(Soon([&] { return server_->counters().requests == 1; }));
  ASSERT_TRUE(second.Send(request.substr(0, request.size() - 900)));
  ASSERT_TRUE(Soon([&] { return server_->counters().requests == 2; }));
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
    RawClient client = Connect();
    ASSERT_TRUE(client.Send(Upload(Part("stream", stream) + File("RIFF") + kEnd)));
    ASSERT_TRUE(Soon([&] { return speech_.jobs() == 1; }));
    client.HangUp();
    EXPECT_TRUE(Soon([&] { return speech_.cancelled() == before + 1; }));
    EXPECT_TRUE(Soon([&] { return speech_.jobs() == 0; }));
  }
  EXPECT_EQ(server_->counters().vanished, 2u);
}

TEST_F(WebServerTest, AReaderThatDoesNotReadIsBoundedAndOthersNoticeNothing) {
  options_.bytes_waiting = KiB(64);
  speech_.script.segments.assign(20'000,
                                 {Milliseconds(0), Milliseconds(1), std::string(1000, 'w'), {}});
  Start();
  RawClient client = Connect(4096);
  ASSERT_TRUE(client.Send(Upload(Part("stream", "true") + File("RIFF") + kEnd)));
  EXPECT_TRUE(Soon([&] { return server_->counters().slow_readers == 1; }));
  EXPECT_THAT(Ask(Get("/livez")), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(Soon([&] { return speech_.jobs() == 0; }));
}

TEST_F(WebServerTest, AnAnswerBeyondTheLimitIsAnError) {
  options_.answer_limit = KiB(10);
  speech_.script.segments.assign(100,
                                 {Milliseconds(0), Milliseconds(1), std::string(1000, 'w'), {}});
  Start();
  EXPECT_THAT(Ask(Upload(File("RIFF") + kEnd)),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("longer than one answer")));
}

TEST_F(WebServerTest, ABodyThatDripsIsTooSlow) {
  options_.body_time = Milliseconds(200);
  options_.slowest_upload = 1'000'000;
  Start();
  RawClient client = Connect();
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

}  // namespace
}  // namespace headroom::net
