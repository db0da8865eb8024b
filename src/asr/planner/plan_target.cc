#include "asr/planner/plan_target.h"

#include <algorithm>

#include "models/formats/inspect.h"
#include "models/formats/skeleton.h"

namespace headroom::planner {
namespace {

using models::Model;
using models::PublishedFile;
using models::Store;

PlanTarget FromFile(models::ModelSpec spec, const std::filesystem::path& path, Bytes size) {
  return {.spec = std::move(spec), .file = path, .size = size, .source = PlanSource::kFile};
}

PlanTarget FromCatalogue(const Store& store, const Model& model, const PublishedFile& file) {
  models::ModelSpec spec{model.name, file.quantisation};
  if (const auto here = store.Find(spec)) return FromFile(spec, here->path, here->bytes);
  const bool known = models::HasSkeleton(model.name);
  return {.spec = std::move(spec),
          .file = {},
          .size = file.size,
          .source = known ? PlanSource::kSkeleton : PlanSource::kSize};
}

Result<PlanTarget> FromPath(const Store& store, const std::string& text) {
  TRY_ASSIGN(const std::filesystem::path path, store.Resolve(text));
  TRY_ASSIGN(const models::ModelHeader header, models::Inspect(path));
  return FromFile({path.filename().native(), header.quantisation}, std::filesystem::absolute(path),
                  header.size);
}

bool SharesLanguage(const Model& a, const Model& b) {
  return std::ranges::find_first_of(a.languages, b.languages) != a.languages.end();
}

}  // namespace

std::string_view Name(PlanSource source) {
  switch (source) {
    case PlanSource::kFile:
      return "file";
    case PlanSource::kSkeleton:
      return "skeleton";
    case PlanSource::kSize:
      return "size";
  }
  return "";
}

Result<PlanTarget> FindPlanTarget(const Store& store, const std::string& text) {
  if (models::LooksLikePath(text)) return FromPath(store, text);
  TRY_ASSIGN(models::ModelSpec spec, models::ParseSpec(text));
  TRY(store.CheckName(spec.name));
  const Model* model = store.catalogue().Find(spec.name);
  if (model != nullptr && model->role != "speech")
    return Fail(Errc::kUnsupported, "{}: finds speech, runs on the CPU and takes no device memory",
                spec.name);
  if (spec.quantisation.empty()) {
    const auto here = store.Here(spec.name);
    if (!here.empty()) return FromFile(here.front().spec, here.front().path, here.front().bytes);
    if (model != nullptr) spec.quantisation = model->default_quantisation;
  }
  if (const auto here = store.Find(spec)) return FromFile(spec, here->path, here->bytes);
  if (model != nullptr) {
    if (const PublishedFile* file = model->FileFor(spec.quantisation))
      return FromCatalogue(store, *model, *file);
  }
  return Fail(Errc::kNotFound, "{}: neither here nor published; see: headroom models info {}",
              models::ToString(spec), spec.name);
}

std::vector<PlanTarget> AllPlanTargets(const Store& store) {
  std::vector<PlanTarget> targets;
  for (const Model& model : store.catalogue().models) {
    if (model.role != "speech" || !model.published) continue;
    for (const PublishedFile& file : model.files)
      targets.push_back(FromCatalogue(store, model, file));
    for (const models::StoredModel& here : store.Here(model.name))
      if (!model.FileFor(here.spec.quantisation))
        targets.push_back(FromFile(here.spec, here.path, here.bytes));
  }
  for (const models::StoredModel& here : store.Here())
    if (!store.catalogue().Find(here.spec.name))
      targets.push_back(FromFile(here.spec, here.path, here.bytes));
  return targets;
}

std::vector<PlanTarget> PlanAlternatives(const Store& store, const PlanTarget& target) {
  std::vector<PlanTarget> same, others;
  const Model* asked = store.catalogue().Find(target.spec.name);
  if (asked == nullptr) return {};
  for (const PublishedFile& file : asked->files) {
    PlanTarget other = FromCatalogue(store, *asked, file);
    if (other.size < target.size) same.push_back(std::move(other));
  }
  for (const Model& model : store.catalogue().models) {
    if (&model == asked || model.role != "speech" || !SharesLanguage(model, *asked)) continue;
    const PublishedFile* file = model.FileFor(model.default_quantisation);
    if (file != nullptr && file->size < target.size)
      others.push_back(FromCatalogue(store, model, *file));
  }
  // The same family first, and within it the largest, which hears best.
  std::ranges::stable_sort(others, [&](const PlanTarget& a, const PlanTarget& b) {
    const auto family = [&](const PlanTarget& t) {
      return store.catalogue().Find(t.spec.name)->family != asked->family;
    };
    return family(a) != family(b) ? family(b) : a.size > b.size;
  });
  std::ranges::stable_sort(same, [](const auto& a, const auto& b) { return a.size > b.size; });
  same.insert(same.end(), others.begin(), others.end());
  return same;
}

}  // namespace headroom::planner
