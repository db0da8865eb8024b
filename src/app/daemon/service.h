// The running service: its parts put together, and what clients ask of them.
//
//   TRY_ASSIGN(auto service, Service::Make(options));
//   return service->Run(stop);
//
// Requests of the control socket come on the server's thread and are carried out by Run's thread,
// one after the other. Everything that happens passes Publish: to the status, the flight record and
// those who subscribed.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "app/daemon/dictation_controller.h"
#include "app/daemon/history_controller.h"
#include "app/daemon/model_controller.h"
#include "app/daemon/publisher.h"
#include "app/daemon/recording.h"
#include "app/daemon/report_runner.h"
#include "app/daemon/server_set.h"
#include "app/daemon/status_view.h"
#include "app/daemon/task_queue.h"
#include "app/dictation/text_delivery.h"
#include "app/dictation/utterance_pipeline.h"
#include "app/serving/recognitions.h"
#include "asr/scheduler/scheduler.h"
#include "base/cancel.h"
#include "net/control/control.h"
#include "speech/spool/history.h"

namespace headroom::app {

struct ServiceOptions {
  std::filesystem::path config_file;  // read again by Reload; "": never
  std::vector<std::string> settings;  // over the file, as "speech.mode=hands_free"
  std::filesystem::path state;        // spool, history, flight record
  bool control = true;                // serve the control socket and the network
  bool recording = true;              // keep a flight record
  bool end_with_source = false;       // Run ends once a file was played and all of it is delivered
  EventSink also = {};                // gets every event, besides subscribers
  std::function<bool()> locked = {};  // the session is locked: nothing may be typed
  /// For the desktop: a title and a line, nothing spoken. Run's thread; may take a second.
  std::function<void(const std::string& title, const std::string& text)> notify = {};
  const Clock* clock = &SystemClock();
};

enum class Ended { kAsked, kRestart, kSourceOver };

class Service : public net::ControlService {
 public:
  /// Everything that can be wrong at the start: configuration, models, state folder, a second
  /// service. Each error says what to do.
  static Result<std::unique_ptr<Service>> Make(ServiceOptions options);
  ~Service() override;

  /// Until `stop` is raised, Shutdown is asked for, or it must be restarted. `stop` may be raised
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

  net::Status Status() const { return status_->Now(); }
  const Config& config() const { return config_; }  // Run's thread

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
  explicit Service(ServiceOptions options)
      : options_(std::move(options)), clock_(*options_.clock) {}
  Result<> Start();
  Result<std::unique_ptr<speech::Spool>> OpenSpool();
  void OpenRecords();
  void MakeStatus();
  Result<> StartScheduler();
  Result<> StartServers();
  Result<DeliverySettings> MakeDeliverySettings(const Config& config) const;
  Result<std::unique_ptr<Dictation>> MakeDictation();
  std::optional<std::string> Inspect(const std::string& name) const;
  Result<> MayUnload() const;
  Result<Config> ReadConfig() const;
  Result<nlohmann::json> ReloadNow();
  void Turn();
  bool SourceOver() const;

  void Publish(const Event& event);
  void PublishAction(const memory::Action& action);
  void PublishTier(const asr::TierEvent& event);
  void Note(record::EventKind kind);
  void Notify(std::string title, std::string text);

  const ServiceOptions options_;
  const Clock& clock_;
  TaskQueue tasks_;
  std::atomic<bool> shutdown_{false}, restart_{false};

  // Run's thread.
  Config config_;
  speech::RecognitionOptions request_;  // of an utterance, as configured
  DetectorMaker make_detector_;         // of the voice model that MakeDictation found
  std::set<net::YieldId> yields_;
  std::atomic<int> yield_count_{0};  // any thread

  // In the order in which they are made; any thread may call what their headers say.
  Publisher publisher_;
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<speech::History> history_;
  std::unique_ptr<StatusView> status_;
  std::unique_ptr<TextDelivery> text_delivery_;
  std::unique_ptr<HistoryController> history_controller_;
  std::unique_ptr<UtterancePipeline> pipeline_;
  std::unique_ptr<asr::Scheduler> scheduler_;  // goes after its clients
  std::unique_ptr<ModelController> models_;
  std::optional<Recognitions> recognitions_;  // the control socket's thread
  std::unique_ptr<DictationController> dictation_;
  ReportRunner reports_;
  std::unique_ptr<ServerSet> servers_;
};

}  // namespace headroom::app
