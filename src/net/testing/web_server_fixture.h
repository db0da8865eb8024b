// A web server with a service of our making behind it, and requests as text.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "net/http/web_server.h"
#include "net/testing/fake_service.h"
#include "net/testing/fake_speech.h"
#include "net/testing/raw_client.h"

namespace headroom::net {

inline std::string Part(const std::string& name, const std::string& value) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}
inline std::string File(const std::string& bytes) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../a.wav\"\r\n"
         "Content-Type: audio/wav\r\n\r\n" +
         bytes + "\r\n";
}
constexpr const char* kEnd = "--xyz--\r\n";

inline std::string Upload(const std::string& form, const std::string& more = "",
                          const std::string& path = "/v1/audio/transcriptions") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more +
         "Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: " +
         std::to_string(form.size()) + "\r\n\r\n" + form;
}
inline std::string Get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}
inline std::string Body(const std::string& answer) {
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
    std::filesystem::remove_all(folder_);
  }
  void Start() {
    auto started = WebServer::Start(options_, speech_, &control_);
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }
  RawClient Connect(int receive_buffer = 0) { return RawClient(server_->port(), receive_buffer); }
  // The whole answer; the connection is closed after it.
  std::string Ask(const std::string& request) {
    RawClient client = Connect();
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

  std::filesystem::path folder_;
  WebOptions options_;
  FakeSpeech speech_;
  FakeService control_;
  std::unique_ptr<WebServer> server_;
};

inline std::string Post(const std::string& path, const std::string& body,
                        const std::string& more = "",
                        const std::string& type = "application/json") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "Content-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace headroom::net
