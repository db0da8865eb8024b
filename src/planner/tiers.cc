#include "planner/tiers.h"

#include <algorithm>

#include "base/dirs.h"
#include "planner/plan_maker.h"

namespace headroom::planner {
namespace {

constexpr const char* kCardWorkers[] = {"headroom-worker-cuda", "headroom-worker-vulkan"};
constexpr const char* kCpuWorker = "headroom-worker-cpu";

// Programs on a card, the best first; usually there is none.
std::vector<std::string> CardWorkers() {
  std::vector<std::string> found;
  for (const char* worker : kCardWorkers)
    if (FindProgram(worker)) found.emplace_back(worker);
  return found;
}

// The models of the catalogue that are here: for a card those with the fewest errors first, for the
// CPU the catalogue's defaults, which answer within a breath there.
std::vector<TierWish> Choose(const models::Store& store, Place place, bool card) {
  std::vector<TierWish> wishes;
  if (card && place != Place::kCpu) {
    struct Known {
      models::ModelSpec spec;
      double wer;
    };
    std::vector<Known> known;
    for (const models::StoredModel& stored : store.Here()) {
      const models::Model* model = store.catalogue().Find(stored.spec.name);
      if (model == nullptr || model->role != "speech") continue;
      const models::PublishedFile* file = model->FileFor(stored.spec.quantisation);
      known.push_back({stored.spec, file != nullptr ? file->wer_percent.value_or(100) : 100});
    }
    std::ranges::stable_sort(known, {}, &Known::wer);
    for (const Known& one : known) wishes.push_back({ToString(one.spec), Place::kCard});
  }
  if (place != Place::kCard) {
    for (const std::string& name : store.catalogue().defaults)
      if (const auto here = store.Here(name); !here.empty())
        wishes.push_back({ToString(here.front().spec), Place::kCpu});
  }
  return wishes;
}

void OnCpu(memory::Plan& plan) {
  plan.kind = memory::DeviceKind::kCpu;
  plan.device = "cpu";
  plan.driver = plan.margin = Bytes(0);
}

}  // namespace

Result<Tiers> MakeTiers(const models::Store& store, const TierOptions& options) {
  const std::vector<std::string> workers = CardWorkers();
  std::vector<TierWish> wishes = options.wishes;
  if (wishes.empty()) wishes = Choose(store, options.place, !workers.empty());
  if (wishes.empty())
    return Fail(Errc::kNotFound,
                "no model is here; fetch one, for example: headroom models pull whisper-base");

  PlanSettings settings;
  settings.chunks = options.chunks;
  std::ranges::sort(settings.chunks);
  settings.chunk = settings.chunks.back();
  settings.card = GiB(64);  // only reported to the counting card
  TRY_ASSIGN(const PlanMaker maker, PlanMaker::Make(settings));

  Tiers result;
  Error last{Errc::kNotFound, "no tier is left"};
  const auto refuse = [&](Error error) {
    result.notes.push_back(error.what);
    last = std::move(error);
  };
  for (const TierWish& wish : wishes) {
    const Place place = wish.place == Place::kAny ? options.place : wish.place;
    auto target = FindPlanTarget(store, wish.model);
    if (!target) {
      refuse(std::move(target).error());
      continue;
    }
    if (target->source != PlanSource::kFile) {
      refuse({Errc::kNotFound, fmt::format("{} is not here; headroom models pull {}", wish.model,
                                           models::ToString(target->spec))});
      continue;
    }
    auto made = maker.Plan(*target);
    if (!made) {
      refuse(std::move(made).error());
      continue;
    }
    engine::Tier tier;
    tier.plan = std::move(made->plan);
    tier.model = std::filesystem::absolute(target->file);
    tier.threads = options.threads;
    tier.traits = std::move(made->counted.traits);
    if (place != Place::kCpu) {
      for (const std::string& worker : workers) {
        engine::Tier on_card = tier;
        on_card.worker = worker;
        on_card.device = worker.substr(std::string_view("headroom-worker-").size());
        on_card.plan.device = on_card.device;
        result.tiers.push_back(std::move(on_card));
      }
      if (workers.empty() && place == Place::kCard)
        refuse({Errc::kUnsupported,
                fmt::format("{}: no worker for a graphics card is installed", wish.model)});
    }
    if (place != Place::kCard) {
      OnCpu(tier.plan);
      const auto shortest = *std::ranges::min_element(options.chunks);
      const memory::FitResult fit = memory::Judge(tier.plan, shortest, options.host);
      if (options.host.total > Bytes(0) && fit.fit == memory::Fit::kUnsafe) {
        refuse({Errc::kNoMemory, fmt::format("{}: {}", tier.Title(), fit.text)});
      } else {
        result.tiers.push_back(std::move(tier));
      }
    }
  }
  if (result.tiers.empty()) return Fail(std::move(last));
  if (result.tiers.size() > memory::kMaxTiers) {
    result.notes.push_back(fmt::format("only the first {} tiers are used", memory::kMaxTiers));
    result.tiers.resize(memory::kMaxTiers);
  }
  return result;
}

}  // namespace headroom::planner
