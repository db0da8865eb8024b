// The models: what is here, what is loaded, loading and giving back by hand.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/daemon/service.h"
#include "models/store/store.h"

namespace headroom::app {
namespace {

constexpr Milliseconds kLoadWithin{50'000};
constexpr Milliseconds kUnloadWithin{5'000};

nlohmann::json Installed() {
  nlohmann::json list = nlohmann::json::array();
  const auto store = models::Store::Open();
  if (!store) return list;
  for (const models::StoredModel& model : store->Here()) {
    const models::Model* known = store->catalogue().Find(model.spec.name);
    list.push_back({{"model", model.spec.name},
                    {"quantisation", model.spec.quantisation},
                    {"bytes", model.bytes.n},
                    {"languages", known ? known->languages : std::vector<std::string>()}});
  }
  return list;
}

}  // namespace

nlohmann::json Service::Models() const {
  const asr::SchedulerStatus status = scheduler_->status();
  nlohmann::json tiers = nlohmann::json::array();
  for (std::size_t i = 0; i < tiers_.size(); ++i) {
    const asr::Tier& tier = tiers_[i];
    Bytes peak = tier.plan.Resident();
    for (const memory::Workspace& one : tier.plan.workspace)
      peak = std::max(peak, tier.plan.Peak(one.chunk).bytes);
    tiers.push_back({{"tier", tier.Title()},
                     {"model", tier.plan.model},
                     {"languages", tier.traits.languages},
                     {"on_card", tier.on_gpu()},
                     {"resident_bytes", tier.plan.Resident().n},
                     {"peak_bytes", peak.n},
                     {"state", status.tiers[i].state},
                     {"loaded", status.tier == i}});
  }
  return {{"installed", Installed()}, {"tiers", std::move(tiers)}};
}

void Service::GetModels(net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, shared] { (*shared)(Models()); });
}

void Service::LoadModel(net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, shared] {
    if (!warm_) warm_ = scheduler_->Connect(asr::Urgency::kFile, {});
    warm_->SetWanted(true);
    loaders_.push_back({shared, SystemClock().Now() + kLoadWithin});
  });
}

// Once a model is there nobody wants it any more, so it goes after the idle time.
void Service::AnswerLoaders() {
  if (loaders_.empty()) return;
  const asr::SchedulerStatus status = scheduler_->status();
  const bool over = SystemClock().Now() >= loaders_.front().until;
  if (!status.tier && !status.paused && !over) return;
  warm_.reset();
  for (Waiting& one : std::exchange(loaders_, {})) {
    if (status.tier) {
      (*one.answer)(Models());
    } else if (status.paused) {
      (*one.answer)(Fail(Errc::kNoMemory, "nothing is loaded: {}", status.reason));
    } else {
      (*one.answer)(Fail(Errc::kTimeout, "it is still being loaded; {}", status.reason));
    }
  }
}

void Service::UnloadModel(net::Answer answer) {
  auto shared = std::make_shared<net::Answer>(std::move(answer));
  Post([this, shared] {
    if (dictation()->state() != DictationState::kIdle)
      return (*shared)(Fail(Errc::kBusy, "somebody listens; end that first: headroom finish"));
    const std::size_t clients = serving_ ? serving_->begun() : 0;
    if (clients > 0 || pipeline_->status().waiting > 0 || !loaders_.empty())
      return (*shared)(
          Fail(Errc::kBusy, "the model is in use, by {} programs; drain them first", clients));
    if (!scheduler_->Unload(kUnloadWithin))
      return (*shared)(Fail(Errc::kTimeout, "the memory is not back yet"));
    (*shared)(Models());
  });
}

}  // namespace headroom::app
