// A session of the realtime protocol without its socket, over a stream that remembers its
// calls.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "net/realtime/realtime.h"

namespace headroom::net {

// The first hex digits of SHA-256("abc").
inline const std::string kItem = "item_ba7816bf8f01_";

inline StreamEvent Said(StreamEvent::Kind kind, std::uint64_t item, std::string text = "",
                        std::int64_t at = 0) {
  StreamEvent event;
  event.kind = kind;
  event.item = item;
  event.text = std::move(text);
  event.at = Milliseconds(at);
  return event;
}

class Realtime : public ::testing::Test {
 protected:
  using json = nlohmann::json;
  using Kind = StreamEvent::Kind;
  using Wait = RealtimeSession::Wait;

  // The calls of a stream, and how it is to answer; outlives it.
  struct Log {
    std::vector<float> samples;
    int commits = 0, clears = 0;
    std::vector<StreamOptions> configured;
    std::vector<std::uint64_t> acknowledged;
    bool forgotten = false, destroyed = false;
    std::size_t room = SIZE_MAX;  // samples until Append says kBusy
    std::size_t most = 0;         // samples in one Append
    std::optional<Error> append, commit, configure;
    std::function<void()> on_idle;  // of Finish
  };

  class Stream : public SpeechStream {
   public:
    explicit Stream(Log& log) : log_(log) {}
    ~Stream() override { log_.destroyed = true; }
    const std::string& session() const override { return session_; }
    Result<> Append(std::span<const float> samples) override {
      if (log_.append) return Fail(*log_.append);
      if (samples.size() > log_.room) return Fail(Errc::kBusy, "the spool is full");
      log_.room -= samples.size();
      log_.most = std::max(log_.most, samples.size());
      log_.samples.insert(log_.samples.end(), samples.begin(), samples.end());
      return {};
    }
    Result<> Commit() override {
      if (log_.commit) return Fail(*log_.commit);
      ++log_.commits;
      return {};
    }
    void Clear() override { ++log_.clears; }
    Result<> Configure(const StreamOptions& options) override {
      if (log_.configure) return Fail(*log_.configure);
      log_.configured.push_back(options);
      return {};
    }
    void Acknowledge(std::uint64_t item) override { log_.acknowledged.push_back(item); }
    void Finish(std::function<void()> on_idle) override { log_.on_idle = std::move(on_idle); }
    void Forget() override { log_.forgotten = true; }

   private:
    Log& log_;
    const std::string session_ = "abc";
  };

  Realtime() { Open({}); }

  void Open(RealtimeConnect connect) {
    session = std::make_unique<RealtimeSession>(
        std::move(connect), "n",
        [this](const std::string& event) { sent.push_back(json::parse(event)); });
    session->Begin(std::make_unique<Stream>(log));
    begin = Take();
  }
  // What was sent since the last time.
  std::vector<json> Take() { return std::exchange(sent, {}); }
  std::vector<std::string> Types() {
    std::vector<std::string> types;
    for (const json& event : Take()) types.push_back(event["type"]);
    return types;
  }
  void Client(const json& event) { session->OnText(event.dump()); }
  // The `error` of the only event that this gives.
  json ErrorOf(std::string_view message) {
    session->OnText(message);
    const std::vector<json> events = Take();
    if (events.size() != 1 || events[0]["type"] != "error") return json(events);
    return events[0]["error"];
  }
  json ErrorOfUpdate(const json& fields) {
    return ErrorOf(
        json{{"type", "session.update"}, {"event_id", "e7"}, {"session", fields}}.dump());
  }
  json ErrorOfInput(const json& input) {
    return ErrorOfUpdate({{"type", "transcription"}, {"audio", {{"input", input}}}});
  }
  void Set(const json& input) { EXPECT_THAT(ErrorOfInput(input)[0]["type"], "session.updated"); }
  void Text(std::uint64_t item, std::string text) {
    session->OnEvent(Said(Kind::kCommitted, item));
    session->OnEvent(Said(Kind::kText, item, std::move(text)));
  }

  Log log;
  std::vector<json> sent;
  std::vector<json> begin;
  std::unique_ptr<RealtimeSession> session;
};

}  // namespace headroom::net
