#include "asr/planner/tiers.h"

#include <algorithm>
#include <iterator>

#include "asr/planner/cpu_order.h"
#include "asr/planner/plan_maker.h"

namespace headroom::planner {
namespace {

constexpr const char* kCpuWorker = "headroom-worker-cpu";
// More than these would only be tried one after the other while a person waits.
constexpr std::size_t kMostOnGpu = 4;
// Also counted, since workers are warmed up with it.
constexpr Milliseconds kShortRun{3'000};

// Models that need the language are only for requests that name it.
bool NeedsLanguage(const models::Catalogue& catalogue, const std::string& name) {
  const models::Model* model = catalogue.Find(name);
  return model && model->languages.size() > 1 && !model->HasFeature("language_detection");
}

// The models of the catalogue that are here: for a GPU those with the fewest errors first, each in
// its quantisations as they are preferred; for the CPU the catalogue's list for it and its
// defaults, which answer within a breath there, each in its fastest good quantisation. What the
// CPU can do as well takes no GPU, unless it is all there is.
std::vector<TierPreference> Choose(const models::Store& store, const TierOptions& options) {
  const Place place = options.place;
  std::vector<TierPreference> config;
  if (options.gpu && place != Place::kCpu) {
    struct Known {
      std::string name;
      double wer;
    };
    std::vector<Known> known;
    for (const models::Model& model : store.catalogue().models) {
      if (model.role != "speech" || store.Here(model.name).empty()) continue;
      const models::PublishedFile* file = model.FileFor(model.default_quantisation);
      known.push_back({model.name, file != nullptr ? file->wer_percent.value_or(100) : 100});
    }
    std::ranges::stable_sort(known, {}, &Known::wer);
    const auto& defaults = store.catalogue().defaults;
    const auto is_default = [&](const Known& one) {
      return std::ranges::find(defaults, one.name) != defaults.end();
    };
    if (place == Place::kAny && !std::ranges::all_of(known, is_default))
      std::erase_if(known, is_default);
    for (const Known& one : known)
      for (const models::StoredModel& stored : store.Here(one.name))
        config.push_back({ToString(stored.spec), Place::kGpu});
  }
  if (place != Place::kGpu) {
    std::vector<std::string> names;
    for (const std::string& name : store.catalogue().cpu)
      if (!options.language.empty() || !NeedsLanguage(store.catalogue(), name))
        names.push_back(name);
    std::ranges::copy(store.catalogue().defaults, std::back_inserter(names));
    for (const std::string& name : names)
      if (const auto here = store.ForCpu(name, FastestOnCpu()))
        config.push_back({ToString(here->spec), Place::kCpu});
  }
  return config;
}

class Maker {
 public:
  Maker(const models::Store& store, const TierOptions& options, const PlanMaker& cpu,
        const PlanMaker& gpu, const std::vector<PlanMaker>& batches)
      : store_(store), options_(options), cpu_(cpu), gpu_(gpu), batches_(batches) {}

  Result<Tiers> Make(const std::vector<TierPreference>& config) {
    const bool chosen = options_.config.empty();
    std::string on_gpu;  // the model that was chosen last for the GPU
    std::size_t gpus = 0;
    for (const TierPreference& preference : config) {
      auto target = FindPlanTarget(store_, preference.model);
      if (!target) {
        Refuse(std::move(target).error());
        continue;
      }
      if (target->source != PlanSource::kFile) {
        Refuse({Errc::kNotFound, fmt::format("{} is not here; headroom models pull {}",
                                             preference.model, models::ToString(target->spec))});
        continue;
      }
      const Place place = preference.place == Place::kAny ? options_.place : preference.place;
      if (place != Place::kCpu) {
        // One quantisation of each model is enough where we choose.
        if (chosen && (target->spec.name == on_gpu || gpus == kMostOnGpu)) continue;
        if (OnGpu(*target, place == Place::kGpu)) on_gpu = target->spec.name, ++gpus;
      }
      if (place != Place::kGpu) AddOnCpu(*target);
    }
    if (result_.tiers.empty()) return Fail(std::move(last_));
    if (result_.tiers.size() > memory::kMaxTiers) {
      result_.notes.push_back(fmt::format("only the first {} tiers are used", memory::kMaxTiers));
      result_.tiers.resize(memory::kMaxTiers);
    }
    return std::move(result_);
  }

 private:
  void Refuse(Error error) {
    result_.notes.push_back(error.what);
    last_ = std::move(error);
  }

  bool OnGpu(const PlanTarget& target, bool named) {
    if (!options_.gpu) {
      if (named)
        Refuse({Errc::kUnsupported, fmt::format("{}: there is no graphics card that this "
                                                "installation has a worker for",
                                                models::ToString(target.spec))});
      return false;
    }
    const Gpu& gpu = *options_.gpu;
    return Add(target, gpu_, [&](asr::Tier& tier, const asr::PlanResult&) {
      tier.worker = gpu.worker;
      tier.device = gpu.device;
      tier.gpu = gpu.options;
      tier.gpu.device = gpu.device;
      tier.plan.kind = gpu.kind;
      tier.plan.device = gpu.name;
      if (gpu.kind != memory::DeviceKind::kDiscrete) return options_.host;
      return memory::Room{.total = gpu.total, .others = {}, .host = {}};
    });
  }

  void AddOnCpu(const PlanTarget& target) {
    Add(target, cpu_, [&](asr::Tier& tier, const asr::PlanResult& counted) {
      tier.worker = kCpuWorker;
      tier.plan = OnCpu(std::move(tier.plan), counted);
      return options_.host;
    });
  }

  // `place`: puts the tier somewhere and says what room there is.
  template <class Place>
  bool Add(const PlanTarget& target, const PlanMaker& plans, const Place& place) {
    auto made = plans.Plan(target);
    if (!made) {
      Refuse(std::move(made).error());
      return false;
    }
    asr::Tier tier;
    tier.plan = std::move(made->plan);
    tier.model = std::filesystem::absolute(target.file);
    tier.threads = options_.threads;
    tier.traits = made->counted.traits;
    const memory::Room room = place(tier, made->counted);
    speech::RecognitionOptions options;
    options.language = options_.language;
    options.translate_to = options_.translate_to;
    if (std::string why = asr::WhyNot(tier, options); !why.empty()) {
      Refuse({Errc::kUnsupported, std::move(why)});
      return false;
    }
    const auto shortest = *std::ranges::min_element(options_.chunks);
    const memory::FitResult fit = memory::Judge(tier.plan, shortest, room, options_.rules);
    if (room.total > Bytes(0) && fit.fit == memory::Fit::kUnsafe) {
      Refuse({Errc::kNoMemory, fmt::format("{}: {}", tier.Title(), fit.text)});
      return false;
    }
    if (tier.on_gpu()) AddBatch(target, room, tier.plan);
    result_.tiers.push_back(std::move(tier));
    return true;
  }

  // As many at once as fit with the longest chunk where no other process holds memory; else one.
  void AddBatch(const PlanTarget& target, const memory::Room& room, memory::Plan& plan) {
    const auto longest = *std::ranges::max_element(options_.chunks);
    std::string why;
    for (const PlanMaker& batch : batches_) {
      const auto made = batch.Plan(target);
      if (!made) continue;
      memory::Plan together = plan;
      together.batch = batch.settings().batch;
      // The peaks are those that were counted: KV that a batch has more of is in its workspace.
      const Bytes more = made->plan.Resident() - plan.Resident();
      together.batched = made->plan.workspace;
      for (memory::Workspace& entry : together.batched)
        entry.bytes = std::max(entry.bytes + more, plan.WorkspaceFor(entry.chunk).bytes);
      const memory::FitResult fit = memory::Judge(together, {longest, true}, room, options_.rules);
      if (room.total == Bytes(0) || fit.fit != memory::Fit::kUnsafe) {
        plan = std::move(together);
        break;
      }
      if (why.empty()) why = fit.text;
    }
    if (!why.empty())
      result_.notes.push_back(
          fmt::format("{}: {} at once, not {}: {}", plan.Title(), plan.batch, options_.batch, why));
  }

  const models::Store& store_;
  const TierOptions& options_;
  const PlanMaker& cpu_;
  const PlanMaker& gpu_;
  const std::vector<PlanMaker>& batches_;  // for the GPU, the largest first
  Tiers result_;
  Error last_{Errc::kNotFound, "no tier is left"};
};

}  // namespace

Result<Tiers> MakeTiers(const models::Store& store, const TierOptions& options) {
  std::vector<TierPreference> config = options.config;
  if (config.empty()) config = Choose(store, options);
  if (config.empty())
    return Fail(Errc::kNotFound,
                "no model is here; fetch one, for example: headroom models pull whisper-base");
  PlanSettings settings;
  settings.chunks = options.chunks;
  settings.chunks.push_back(kShortRun);
  std::ranges::sort(settings.chunks);
  const auto again = std::ranges::unique(settings.chunks);
  settings.chunks.erase(again.begin(), again.end());
  settings.chunk = settings.chunks.back();
  settings.gpu = options.gpu ? options.gpu->total : GiB(64);  // only reported
  PlanSettings on_cpu = settings;
  on_cpu.cpu = true;
  TRY_ASSIGN(const PlanMaker cpu, PlanMaker::Make(std::move(on_cpu)));
  if (options.gpu && options.gpu->calibration) {
    settings.driver = options.gpu->calibration->driver();
    settings.profile = options.gpu->calibration->profile;
  }
  TRY_ASSIGN(const PlanMaker gpu, PlanMaker::Make(settings));
  std::vector<PlanMaker> batches;
  for (settings.batch = options.batch; settings.batch > 1; settings.batch /= 2) {
    TRY_ASSIGN(PlanMaker batch, PlanMaker::Make(settings));
    batches.push_back(std::move(batch));
  }
  return Maker(store, options, cpu, gpu, batches).Make(config);
}

}  // namespace headroom::planner
