// A request without a connection: the handler of a route runs on it, and what it answers is kept.
#pragma once

#include <string>
#include <utility>

#include "net/server/byte_stream.h"
#include "net/server/http_exchange.h"

namespace headroom::net {

class FakeExchange final : public Exchange {
 public:
  FakeExchange(std::string method, std::string target, std::string body = "")
      : method_(std::move(method)), target_(std::move(target)), body_(std::move(body)) {}

  std::string_view method() const override { return method_; }
  std::string_view target() const override { return target_; }
  std::string_view name() const override { return {}; }
  std::string_view Field(std::string_view) const override { return {}; }
  std::size_t CountField(std::string_view) const override { return 0; }
  std::optional<std::uint64_t> content_length() const override { return body_.size(); }
  bool has_body() const override { return !body_.empty(); }
  int socket() const override { return -1; }

  void Begin(std::unique_ptr<HttpWork> work) override {
    const auto before = std::exchange(work_, std::move(work));
  }
  void ReadBody(std::optional<Milliseconds>) override {
    if (!body_.empty()) work_->OnBody(body_);
    if (work_) work_->OnBodyEnd();
  }
  void WatchPeer() override {}
  void After(Milliseconds, std::function<void()>) override {}
  void CancelTimer() override {}
  Poster MakePoster() override {
    return [](const std::function<void()>& call) { call(); };
  }

  void Send(HttpAnswer made) override {
    ++answers;
    answer = std::move(made);
    work_.reset();
  }
  void SendUnread(HttpAnswer made) override { Send(std::move(made)); }
  bool Push(std::shared_ptr<const std::string> text, bool) override {
    streamed += *text;
    streaming_ = true;
    return true;
  }
  bool streaming() const override { return streaming_; }
  void KeepAlive() override {}
  std::unique_ptr<ByteStream> TakeConnection(HttpHead&) override { return nullptr; }
  void Close() override { work_.reset(); }

  int answers = 0;
  HttpAnswer answer;
  std::string streamed;

 private:
  const std::string method_, target_, body_;
  std::unique_ptr<HttpWork> work_;
  bool streaming_ = false;
};

}  // namespace headroom::net
