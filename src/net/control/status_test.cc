#include "net/control/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace headroom::net {
namespace {

TEST(Status, WhatIsWrittenIsRead) {
  Status status;
  status.version = "1.2";
  status.pid = 7;
  status.uptime = Milliseconds(3000);
  status.phase = Phase::kSpeaking;
  status.mode = "hands_free";
  status.language = "de";
  status.microphone = {"USB", "running", "lost 3 ms", 48};
  status.tier = "canary-1b-flash:Q8_0 on CUDA0";
  status.memory = {"warning", "VRAM 75 %", MiB(200), MiB(1), GiB(4), GiB(3), GiB(1)};
  status.waiting = 2;
  status.spool_free = Milliseconds(1'980'000);
  status.delivered = 12;
  status.undelivered = 1;
  status.latency = Milliseconds(230);
  status.partial = "hallo wö";
  status.yields = 1;
  status.draining = true;
  status.clients = 3;
  status.troubles = {"one", "two"};
  const nlohmann::json json = ToJson(status);
  EXPECT_EQ(ToJson(ParseStatus(json).value()), json);
  EXPECT_EQ(json["phase"], "speaking");
  EXPECT_EQ(PhaseFromName("speech"), Phase::kSpeaking) << "its earlier name";
  EXPECT_EQ(json["memory"]["vram_used_bytes"], GiB(3).n);
}

TEST(Status, ReadsWhatOthersSend) {
  EXPECT_FALSE(ParseStatus(nlohmann::json::array()));
  const Status empty = ParseStatus(nlohmann::json::object()).value();
  EXPECT_EQ(ToJson(empty), ToJson(Status()));
  const Status odd = ParseStatus({{"phase", "dancing"},
                                  {"pid", "seven"},
                                  {"memory", 3},
                                  {"microphone", {{"device", nullptr}}},
                                  {"troubles", {1, "two"}}})
                         .value();
  EXPECT_EQ(odd.phase, Phase::kIdle);
  EXPECT_EQ(odd.troubles, std::vector<std::string>{"two"});
}

TEST(Status, HistoryEntries) {
  const HistoryEntry entry{3,          WallTime(Milliseconds(1'700'000'000'123)),
                           "hi",       "uncertain",
                           "it ended", "type",
                           "t",        Milliseconds(900)};
  EXPECT_EQ(ToJson(ParseHistoryEntry(ToJson(entry)).value()), ToJson(entry));
  EXPECT_FALSE(ParseHistoryEntry(3));
}

}  // namespace
}  // namespace headroom::net
