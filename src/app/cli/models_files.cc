// headroom models verify | rm | path: what is in the folder.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/models_commands.h"
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

// What a name means among the files that are there; all of them when none is named.
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
               verified->recorded ? "" : "  (had no entry in models.lock; has one now)");
  }
  if (!names.empty()) return code;
  TRY_ASSIGN(const models::LockFile lock, store.ReadLock());
  for (const models::LockEntry& entry : lock.entries) {
    if (std::none_of(chosen.begin(), chosen.end(),
                     [&](const StoredModel& model) { return model.path.filename() == entry.file; }))
      bad({Errc::kNotFound, entry.file + " is in models.lock and not in the folder; pull it again, "
                                         "or forget it with 'headroom models rm'"});
  }
  if (chosen.empty() && code == kOk) Note("no model is here; nothing to verify");
  return code;
}

Result<int> RemoveOne(const Store& store, const ModelSpec& spec) {
  StepLine line;
  TRY_ASSIGN(const FileLock alone, store.LockModel(spec.name, &InterruptToken(), [&] {
    Note("another program is working on " + spec.name + "; waiting for it");
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
  return Fail(Errc::kNotFound, "{} is not here", models::ToString(spec));
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

void AddModelsFiles(CLI::App& models, Action& chosen) {
  struct Options {
    std::vector<std::string> names;
    std::string name;
  };
  const auto options = std::make_shared<Options>();
  const auto finish = [](const Result<int>& code) { return code ? *code : Complain(code.error()); };

  CLI::App* verify = models.add_subcommand("verify", "Read models again and check their sums.");
  verify->add_option("NAME", options->names, "Default: all that are here");
  verify->callback([=, &chosen] {
    chosen = [=] {
      InterruptToken();
      return finish(Verify(options->names));
    };
  });

  CLI::App* rm = models.add_subcommand("rm", "Delete models, and what is left of their downloads.");
  rm->add_option("NAME", options->names, "All quantisations of it, or NAME:Q8_0 for one")
      ->required();
  rm->callback([=, &chosen] { chosen = [=] { return finish(Remove(options->names)); }; });

  CLI::App* path = models.add_subcommand("path", "Print where a model's file is.");
  path->add_option("NAME", options->name, "Default: the model that transcribe would take");
  path->callback([=, &chosen] { chosen = [=] { return finish(PrintPath(options->name)); }; });
}

}  // namespace headroom::cli
