// The running service: the parts put together, what clients ask of it, and what it tells them.
//
//   TRY_ASSIGN(auto service, Service::Make(options));
//   return service->Run(stop);
//
// Requests of the control socket come on the server's thread and are carried out by Run's thread,
// one after the other. Everything that happens passes Tell: to subscribers, to the flight record,
// to whoever else was named in the options.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/daemon/publisher.h"
#include "app/daemon/recording.h"
#include "app/dictation/dictation.h"
#include "app/dictation/text_delivery.h"
#include "app/dictation/utterance_pipeline.h"
#include "app/serving/recognitions.h"
#include "app/serving/serving.h"
#include "asr/scheduler/scheduler.h"
#include "base/cancel.h"
#include "net/control/control.h"
#include "net/control/status.h"
#include "net/http/web_server.h"
#include "net/wyoming/wyoming_server.h"
#include "speech/spool/history.h"

namespace headroom::app {

struct ServiceOptions {
  std::filesystem::path config_file;  // read again by Reload; "": never
  std::vector<std::string> settings;  // over the file, as "speech.mode=hands_free"
  std::filesystem::path state;        // spool, history, flight record
  bool control = true;                // serve the control socket and the network
  bool recording = true;              // keep a flight record
  bool end_with_source = false;       // Run ends once a file was played and all of it is delivered
  EventSink also = {};                // told everything, besides subscribers
  std::function<bool()> locked = {};  // the session is locked: nothing may be typed
  /// For the desktop: a title and a line, nothing spoken. Run's thread; may take a second.
  std::function<void(const std::string& title, const std::string& text)> notify = {};
};

enum class Ended { kAsked, kRestart, kSourceOver };

class Service : public net::ControlService {
 public:
  /// Everything that can be wrong at the start: configuration, models, state folder, a second
  /// service. Each error says what to do.
  static Result<std::unique_ptr<Service>> Make(ServiceOptions options);
  ~Service() override;

  /// Until `stop` is raised, Shutdown is asked for, or it must start anew. `stop` may be raised
  /// from a signal handler. `turn` is called twice a second and more (watchdog, live view).
  Ended Run(CancelToken& stop, const std::function<void()>& turn = {});
  /// Ends listening and waits, for so long at most, until what was said is delivered.
  void Drain(Milliseconds wait);
  /// Any thread: reads the configuration again (SIGHUP).
  void AskReload();
  void AskListen(bool listen);
  void AskToggle();
  /// The computer is about to sleep: `ready` is called once no worker is left, or after a few
  /// seconds.
  void AskSleep(std::function<void()> ready);
  void AskWake();

  net::Status Status() const;
  const Config& config() const { return config_; }

  void Listen(const net::ListenRequest& request, net::Answer answer) override;
  void Finish(net::Answer answer) override;
  void Toggle(net::Answer answer) override;
  void Cancel(net::Answer answer) override;
  void Reload(net::Answer answer) override;
  void Shutdown(net::Answer answer) override;
  void SetDraining(bool on, net::Answer answer) override;
  void GetReport(const std::string& since, net::Answer answer) override;
  void GetModels(net::Answer answer) override;
  void LoadModel(net::Answer answer) override;
  void UnloadModel(net::Answer answer) override;
  void GetStatus(net::Answer answer) override;
  void GetHistory(const net::HistoryRequest& request, net::Answer answer) override;
  void PasteHistory(std::optional<std::int64_t> id, net::Answer answer) override;
  void ClearHistory(net::Answer answer) override;
  void BeginYield(net::YieldId id, const std::string& who, net::Answer answer) override;
  void EndYield(net::YieldId id) override;
  void BeginRecognition(net::RecognitionId id, net::RecognizeRequest request,
                        net::Answer answer) override {
    recognitions_->Begin(id, std::move(request), std::move(answer));
  }
  void EndRecognition(net::RecognitionId id) override { recognitions_->End(id); }

 private:
  struct Waiting {
    std::shared_ptr<net::Answer> answer;
    MonoTime until{};
  };

  explicit Service(ServiceOptions options) : options_(std::move(options)) {}
  Result<> Start();
  Result<> StartScheduler();
  void DescribeTiers(const std::vector<asr::Tier>& tiers);
  /// Trouble with a port or a token is no error: it is told, and dictation goes on.
  void StartServers();
  void StartWeb();
  void StartWyoming();
  Result<DeliverySettings> MakeDeliverySettings(const Config& config) const;
  /// From the configuration; listens where that is hands-free.
  Result<> MakeDictation();
  /// A new one takes over as soon as nobody speaks. Run's thread.
  void ReplaceDictation();
  std::shared_ptr<Dictation> dictation() const;
  /// Null: nothing is served. It lives as long as a server that asks for it.
  Serving* serving() const;
  std::optional<std::string> Inspect(const std::string& name) const;
  Result<Config> ReadConfig() const;
  void Post(std::function<void()> task);
  void Publish(const Event& event);
  void React(const Event& event);
  void PublishAction(const memory::Action& action);
  void PublishTier(const asr::TierEvent& event);
  Result<nlohmann::json> ReloadNow();
  void AnswerListeners();
  void AnswerLoaders();
  nlohmann::json Models() const;
  void PublishStatus();
  void SetWarning(const std::string& topic, std::string text);
  void Notify(std::string title, std::string text);
  Result<speech::HistoryEntry> EntryToPaste(std::optional<std::int64_t> id);
  Result<nlohmann::json> Paste(const speech::HistoryEntry& entry);
  bool Over() const;

  const ServiceOptions options_;
  Config config_;            // Run's thread
  asr::RunRequest request_;  // of an utterance, as configured; Run's thread
  MonoTime began_{};
  std::string published_;           // the last status, as far as a person sees it; Run's thread
  bool replace_dictation_ = false;  // Run's thread, as the next
  MonoTime expired_{};              // when the history was last looked through
  std::future<void> reporting_;     // a report in the making; the same
  std::future<void> pasting_;       // a text of the history on its way; Run's thread
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<speech::History> history_;
  std::unique_ptr<TextDelivery> text_delivery_;
  std::unique_ptr<UtterancePipeline> pipeline_;
  std::unique_ptr<asr::Scheduler> scheduler_;  // goes after its clients
  std::optional<Recognitions> recognitions_;   // the control socket's thread
  std::vector<net::ServedModel> models_;       // of the tiers
  std::string plan_;                           // of the tiers, as JSON
  std::vector<asr::Tier> tiers_;               // best first
  Publisher publisher_;
  std::unique_ptr<Serving> serving_;  // set under mutex_; other threads ask serving()
  std::unique_ptr<net::WyomingServer> wyoming_;
  std::unique_ptr<net::WebServer> web_;  // after wyoming_, whose counters it shows
  std::unique_ptr<net::ControlServer> server_;
  Publisher::Subscription to_serving_, to_web_, to_server_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Dictation> dictation_;  // guarded by mutex_, as all below
  std::deque<std::function<void()>> tasks_;
  std::unique_ptr<asr::Scheduler::Client> warm_;  // Run's thread: wants a model for the loaders
  std::vector<Waiting> loaders_;                  // the same: who asked for one
  std::vector<Waiting> listeners_;                // who asked to listen and waits for samples
  std::vector<net::YieldId> yields_;
  std::string partial_;
  std::vector<std::pair<std::string, std::string>> warnings_;  // topic, text
  std::int64_t undelivered_ = 0;
  bool news_ = false, shutdown_ = false, restart_ = false;
};

}  // namespace headroom::app
