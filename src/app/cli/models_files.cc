// headroom models verify | rm | path: the files in the models folder.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/models_commands.h"
#include "app/cli/runs.h"
#include "app/cli/step_line.h"
#include "app/cli/terminal.h"
#include "asr/planner/cpu_order.h"
#include "base/cancel.h"
#include "models/store/add.h"
#include "models/store/store.h"

namespace headroom::cli {
namespace {

using models::ModelSpec;
using models::Store;
using models::StoredModel;

// The stored models that the names match; all of them when there are no names.
Result<std::vector<StoredModel>> Named(const Store& store, const std::vector<std::string>& names) {
  if (names.empty()) return store.Here();
  std::vector<StoredModel> chosen;
  for (const std::string& name : names) {
    TRY_ASSIGN(const ModelSpec spec, models::ParseSpec(name));
    const std::size_t before = chosen.size();
    for (StoredModel& model : store.Here(spec.name)) {
      if (spec.quantisation.empty() || spec.quantisation == model.spec.quantisation)
        chosen.push_back(std::move(model));
    }
    if (chosen.size() == before) {
      TRY(store.Resolve(name));
    }
  }
  return chosen;
}

Result<int> Verify(const std::vector<std::string>& names) {
  TRY_ASSIGN(const Store store, Store::Open());
  TRY_ASSIGN(const std::vector<StoredModel> chosen, Named(store, names));
  int code = kOk;
  const auto bad = [&](const Error& error) {
    const int this_code = Complain(error);
    if (code == kOk) code = this_code;
    return this_code;
  };
  for (const StoredModel& model : chosen) {
    StepLine line;
    const auto verified = models::Verify(store, model, line.listener(), &InterruptToken());
    if (!verified) {
      if (bad(verified.error()) == kInterrupted) return kInterrupted;
      continue;
    }
    fmt::print("{}  ok  {}{}\n", models::ToString(model.spec), verified->sha256,
               verified->recorded ? "" : "  (added to models.lock)");
  }
  if (!names.empty()) return code;
  TRY_ASSIGN(const models::LockFile lock, store.ReadLock());
  for (const models::LockEntry& entry : lock.entries) {
    if (std::none_of(chosen.begin(), chosen.end(),
                     [&](const StoredModel& model) { return model.path.filename() == entry.file; }))
      bad({Errc::kNotFound, entry.file + " is in models.lock but not in the folder; pull it again, "
                                         "or remove the entry with: headroom models rm"});
  }
  if (chosen.empty() && code == kOk) Note("no model is installed; nothing to verify");
  return code;
}

Result<int> RemoveOne(const Store& store, const ModelSpec& spec) {
  StepLine line;
  TRY_ASSIGN(const FileLock alone, store.LockModel(spec.name, &InterruptToken(), [&] {
    Note("another program is using " + spec.name + "; waiting");
  }));
  bool removed = false;
  for (const std::string_view quantisation : models::QuantisationsByPreference()) {
    const ModelSpec one{spec.name, std::string(quantisation)};
    if (!spec.quantisation.empty() && spec.quantisation != quantisation) continue;
    const auto gone = store.Remove(one);
    if (!gone && gone.error().code != Errc::kNotFound) return Fail(gone.error());
    if (gone) fmt::print("removed {}\n", models::ToString(one));
    removed |= gone.has_value();
  }
  if (removed) return kOk;
  TRY(store.CheckName(spec.name));
  return Fail(Errc::kNotFound, "{} is not installed", models::ToString(spec));
}

Result<int> Remove(const std::vector<std::string>& names) {
  TRY_ASSIGN(const Store store, Store::Open());
  std::vector<ModelSpec> specs;
  for (const std::string& name : names) {
    TRY_ASSIGN(ModelSpec spec, models::ParseSpec(name));
    specs.push_back(std::move(spec));
  }
  int code = kOk;
  for (const ModelSpec& spec : specs) {
    const auto removed = RemoveOne(store, spec);
    const int this_code = removed ? *removed : Complain(removed.error());
    if (code == kOk) code = this_code;
  }
  return code;
}

Result<int> PrintPath(const std::string& name) {
  TRY_ASSIGN(const std::filesystem::path path, name.empty()
                                                   ? models::ResolveDefault(planner::FastestOnCpu())
                                                   : models::Resolve(name));
  fmt::print("{}\n", path.string());
  return kOk;
}

}  // namespace

void AddModelsFiles(Parser models, Action& chosen) {
  struct Options {
    std::vector<std::string> names;
    std::string name;
  };
  const auto options = std::make_shared<Options>();

  Parser verify = models.Add("verify", "Check the checksums of models.");
  verify.AddOption("NAME", options->names, "Default: all installed models");
  verify.OnChosen(Runs(chosen, [=] {
    InterruptToken();
    return Verify(options->names);
  }));

  Parser rm = models.Add("rm", "Delete models and their partial downloads.");
  rm.AddOption("NAME", options->names, "NAME for all of its quantisations, NAME:Q8_0 for one")
      .Required();
  rm.OnChosen(Runs(chosen, [=] { return Remove(options->names); }));

  Parser path = models.Add("path", "Print the path of a model's file.");
  path.AddOption("NAME", options->name, "Default: the model that transcribe uses");
  path.OnChosen(Runs(chosen, [=] { return PrintPath(options->name); }));
}

}  // namespace headroom::cli
