// The models: what is here, what is loaded, loading and giving back by hand.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "asr/scheduler/scheduler.h"
#include "base/clock.h"
#include "net/control/control.h"
#include "net/server/speech_service.h"

namespace headroom::app {

/// One thread, unless said otherwise.
class ModelController {
 public:
  /// kBusy, with the reason, while the loaded model is in use.
  using MayUnload = std::function<Result<>()>;

  /// `tiers`: the scheduler's, best first. `scheduler` must outlive it.
  ModelController(asr::Scheduler& scheduler, std::vector<asr::Tier> tiers, MayUnload may_unload,
                  const Clock& clock);

  /// As net::ControlService's.
  void Get(net::Answer answer);
  void Load(net::Answer answer);
  void Unload(net::Answer answer);
  /// Answers those that wait for a model; call it when a tier has changed, and often.
  void Turn();

  /// Any thread: the models of the tiers, and the tiers' plans as JSON.
  std::vector<net::ServedModel> served() const;
  std::string plan() const;

 private:
  struct Loader {
    net::Answer answer;
    MonoTime until;
  };
  nlohmann::json Models() const;

  asr::Scheduler& scheduler_;
  const std::vector<asr::Tier> tiers_;
  const MayUnload may_unload_;
  const Clock& clock_;
  std::unique_ptr<asr::Scheduler::Client> warm_;  // wants a model for the loaders
  std::vector<Loader> loaders_;
};

}  // namespace headroom::app
