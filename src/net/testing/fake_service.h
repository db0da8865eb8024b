// A ControlService that remembers what it was asked and answers at once, or when the test says so.
#pragma once

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "net/control/control.h"
#include "net/control/status.h"

namespace headroom::net {

class FakeService : public ControlService {
 public:
  void Listen(const ListenRequest& request, Answer answer) override {
    Reply("listen " + request.language, std::move(answer), Phase::kListening);
  }
  void Finish(Answer answer) override { Reply("finish", std::move(answer), Phase::kIdle); }
  void Toggle(Answer answer) override {
    Reply("toggle", std::move(answer), phase_ == Phase::kIdle ? Phase::kListening : Phase::kIdle);
  }
  void Cancel(Answer answer) override { Reply("cancel", std::move(answer), Phase::kIdle); }
  void Reload(Answer answer) override {
    Note("reload");
    answer(Fail(Errc::kInvalid, "/c.toml:3: speech.mode: \"togle\" is none of …"));
  }
  void Shutdown(Answer answer) override {
    Note("shutdown");
    shutdown = true;
    answer(nlohmann::json{{"stopping", true}});
  }
  void SetDraining(bool on, Answer answer) override {
    draining = on;
    if (!on) clients = 0;
    Reply(fmt::format("drain {}", on), std::move(answer), phase_);
  }
  void GetModels(Answer answer) override { Models("models", std::move(answer)); }
  void LoadModel(Answer answer) override { Models("load", std::move(answer)); }
  void UnloadModel(Answer answer) override { Models("unload", std::move(answer)); }
  void GetReport(const std::string& since, Answer answer) override {
    Note("report " + since);
    if (since == "never") return answer(Fail(Errc::kInvalid, "since: \"never\" is no time"));
    answer(nlohmann::json{{"html", R"(<!doctype html><html><head><style>h1 { color: rgb(1, 2, 3) }
</style></head><body><h1>A report</h1><script>document.body.dataset.ran = "yes";
fetch("/api/status").then(() => document.body.dataset.leaked = "yes");</script></body></html>)"}});
  }
  void GetStatus(Answer answer) override { Reply("status", std::move(answer), phase_); }
  void GetHistory(const HistoryRequest& request, Answer answer) override {
    Note(fmt::format("history {} {}", request.limit, request.undelivered_only));
    nlohmann::json entries = nlohmann::json::array();
    if (!cleared)
      entries.push_back(ToJson(HistoryEntry{.id = 7,
                                            .at = WallTime(std::chrono::hours(24 * 365 * 50)),
                                            .text = "Grüße aus der Vergangenheit",
                                            .arrival = "delivered",
                                            .why = "",
                                            .targets = "typing",
                                            .tier = "whisper-base:Q8_0 on cpu",
                                            .latency = Milliseconds(1500)}));
    answer(nlohmann::json{{"entries", std::move(entries)}});
  }
  void PasteHistory(std::optional<std::int64_t> id, Answer answer) override {
    Note(fmt::format("paste {}", id.value_or(0)));
    if (cleared || id.value_or(7) != 7)
      return answer(Fail(Errc::kNotFound, "there is no such text in the history"));
    answer(nlohmann::json{{"id", 7}, {"text", "Grüße aus der Vergangenheit"}});
  }
  void ClearHistory(Answer answer) override {
    Note("clear");
    answer(nlohmann::json{{"forgotten", cleared.exchange(true) ? 0 : 1}});
  }
  void BeginYield(YieldId id, const std::string& who, Answer answer) override {
    Note(fmt::format("yield {} {}", id, who));
    if (who == "refused") return answer(Fail(Errc::kBusy, "the GPU is not ours to leave"));
    ++yields;
    Hold(std::move(answer), nlohmann::json{{"freed_bytes", 1000}});
  }
  void EndYield(YieldId id) override {
    Note(fmt::format("end yield {}", id));
    --yields;
  }

  void BeginRecognition(RecognitionId id, RecognizeRequest request, Answer answer) override {
    const auto audio = Mapping::OfSealed(request.audio.get(), 1u << 20);
    Note(fmt::format("recognise {} {}", id, request.language));
    ++recognitions;
    if (!audio) return answer(Fail(audio.error()));
    Hold(std::move(answer), nlohmann::json{{"bytes", audio->bytes().size()}});
  }
  void EndRecognition(RecognitionId id) override {
    Note(fmt::format("end recognition {}", id));
    --recognitions;
  }

  std::vector<std::string> asked() const {
    const MutexLock guard(mutex_);
    return asked_;
  }
  std::vector<std::pair<Answer, nlohmann::json>> TakeHeld() {
    const MutexLock guard(mutex_);
    return std::exchange(held_, {});
  }

  std::atomic<bool> hold{false};  // answers are kept for TakeHeld
  std::atomic<bool> draining{false};
  std::atomic<int> clients{2};  // one less with each answer while it drains
  std::atomic<bool> shutdown{false}, cleared{false};
  std::atomic<int> yields{0}, recognitions{0};

 private:
  void Note(std::string what) {
    const MutexLock guard(mutex_);
    asked_.push_back(std::move(what));
  }
  void Hold(Answer answer, nlohmann::json value) {
    if (!hold) return answer(std::move(value));
    const MutexLock guard(mutex_);
    held_.emplace_back(std::move(answer), std::move(value));
  }
  void Models(const std::string& what, Answer answer) {
    Note(what);
    Hold(std::move(answer), nlohmann::json{{"installed", nlohmann::json::array()},
                                           {"tiers", nlohmann::json::array()}});
  }
  void Reply(const std::string& what, Answer answer, Phase phase) {
    Note(what);
    phase_ = phase;
    Status status;
    status.version = "0.1.0";
    status.pid = 4242;
    status.phase = phase;
    status.mode = "toggle";
    status.microphone.device = "USB Microphone";
    status.microphone.state = phase == Phase::kIdle ? "closed" : "running";
    status.tier = "whisper-base:Q8_0 on cpu";
    status.memory.ram = MiB(250);
    status.draining = draining;
    status.clients = draining && clients > 0 ? clients-- : int{clients};
    status.delivered = 3;
    status.undelivered = 1;
    status.latency = Milliseconds(180);
    status.troubles = {"a text was not typed; deliver it with: headroom history paste"};
    Hold(std::move(answer), ToJson(status));
  }

  mutable Mutex mutex_;
  std::vector<std::string> asked_ GUARDED_BY(mutex_);
  std::vector<std::pair<Answer, nlohmann::json>> held_ GUARDED_BY(mutex_);
  Phase phase_ = Phase::kIdle;  // of the server's thread
};

}  // namespace headroom::net
