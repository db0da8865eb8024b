#include "app/daemon/model_controller.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "memory/fit.h"
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

ModelController::ModelController(asr::Scheduler& scheduler, std::vector<asr::Tier> tiers,
                                 MayUnload may_unload, const Clock& clock)
    : scheduler_(scheduler),
      tiers_(std::move(tiers)),
      may_unload_(std::move(may_unload)),
      clock_(clock) {}

nlohmann::json ModelController::Models() const {
  const asr::SchedulerStatus status = scheduler_.status();
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

std::vector<net::ServedModel> ModelController::served() const {
  std::vector<net::ServedModel> models;
  for (const asr::Tier& tier : tiers_) {
    if (std::ranges::find(models, tier.plan.model, &net::ServedModel::id) == models.end())
      models.push_back({tier.plan.model, tier.traits.languages, false});
  }
  return models;
}

std::string ModelController::plan() const {
  nlohmann::json tiers = nlohmann::json::array();
  for (const asr::Tier& tier : tiers_) {
    nlohmann::json chunks = nlohmann::json::array();
    for (const memory::Workspace& one : tier.plan.workspace)
      chunks.push_back(
          {{"chunk_ms", one.chunk.count()}, {"peak_bytes", tier.plan.Peak(one.chunk).bytes.n}});
    tiers.push_back({{"tier", tier.Title()},
                     {"on_card", tier.on_gpu()},
                     {"resident_bytes", tier.plan.Resident().n},
                     {"chunks", std::move(chunks)}});
  }
  const memory::FitRules rules;
  return nlohmann::json{
      {"tiers", std::move(tiers)},
      {"rules", {{"safe", rules.safe}, {"marginal", rules.marginal}, {"peak", rules.peak}}}}
      .dump();
}

void ModelController::Get(net::Answer answer) {
  answer(Models());
}

void ModelController::Load(net::Answer answer) {
  if (!warm_) warm_ = scheduler_.Connect(asr::Urgency::kFile, {});
  warm_->SetWanted(true);
  loaders_.push_back({std::move(answer), clock_.Now() + kLoadWithin});
}

// Once a model is there nothing here wants it any more, so it goes after the idle time.
void ModelController::Turn() {
  if (loaders_.empty()) return;
  const asr::SchedulerStatus status = scheduler_.status();
  const bool over = clock_.Now() >= loaders_.front().until;
  if (!status.tier && !status.paused && !over) return;
  warm_.reset();
  for (Loader& one : std::exchange(loaders_, {})) {
    if (status.tier) {
      one.answer(Models());
    } else if (status.paused) {
      one.answer(Fail(Errc::kNoMemory, "nothing is loaded: {}", status.reason));
    } else {
      one.answer(Fail(Errc::kTimeout, "it is still being loaded; {}", status.reason));
    }
  }
}

void ModelController::Unload(net::Answer answer) {
  if (const auto may = may_unload_(); !may) return answer(std::unexpected(may.error()));
  if (!loaders_.empty()) return answer(Fail(Errc::kBusy, "the model is being loaded"));
  if (!scheduler_.Unload(kUnloadWithin))
    return answer(Fail(Errc::kTimeout, "the memory is not back yet"));
  answer(Models());
}

}  // namespace headroom::app
