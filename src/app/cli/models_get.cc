// headroom models pull | import | quantize | bundle: adds models to the folder.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/models_commands.h"
#include "app/cli/runs.h"
#include "app/cli/step_line.h"
#include "app/cli/terminal.h"
#include "base/cancel.h"
#include "models/store/bundle.h"
#include "models/store/pull.h"

namespace headroom::cli {
namespace {

using models::ModelSpec;
using models::Store;
using models::StoredModel;

void PrintModel(const StoredModel& model) {
  fmt::print("{}  {}  {}\n", models::ToString(model.spec), FormatDecimal(model.bytes),
             model.path.string());
}

Result<int> Pull(const std::vector<std::string>& names, bool offline) {
  TRY_ASSIGN(const Store store, Store::Open());
  std::vector<ModelSpec> specs;
  for (const std::string& name : names) {
    TRY_ASSIGN(ModelSpec spec, models::ParseSpec(name));
    TRY(store.CheckName(spec.name));  // fails before the first download takes ten minutes
    specs.push_back(std::move(spec));
  }
  auto options = models::PullOptionsFromEnvironment();
  options.offline = offline;
  int code = kOk;
  for (const ModelSpec& spec : specs) {
    StepLine line;
    const auto pulled = models::Pull(store, spec, options, line.listener(), &InterruptToken());
    if (pulled) {
      if (pulled->already) Note(models::ToString(pulled->model.spec) + " is already installed");
      PrintModel(pulled->model);
      continue;
    }
    const int this_code = Complain(pulled.error());
    if (code == kOk) code = this_code;
    if (this_code == kInterrupted) return this_code;
  }
  return code;
}

Result<int> Import(const std::string& source, const std::string& name) {
  TRY_ASSIGN(const Store store, Store::Open());
  StepLine line;
  TRY_ASSIGN(const StoredModel model,
             models::ImportInto(store, source, name, line.listener(), &InterruptToken()));
  PrintModel(model);
  return kOk;
}

Result<int> Quantize(const std::string& from, const std::string& preset) {
  TRY_ASSIGN(const Store store, Store::Open());
  TRY_ASSIGN(const ModelSpec spec, models::ParseSpec(from));
  StepLine line;
  TRY_ASSIGN(const StoredModel model,
             models::QuantizeInto(store, spec, preset, line.listener(), &InterruptToken()));
  PrintModel(model);
  return kOk;
}

Result<int> WriteBundle(const std::vector<std::string>& names, const std::string& output) {
  TRY_ASSIGN(const Store store, Store::Open());
  std::vector<std::string> all = names;
  // The other machine cannot transcribe without the voice detector.
  if (!store.catalogue().vad.empty()) all.push_back(store.catalogue().vad);
  std::vector<StoredModel> chosen;
  for (const std::string& name : all) {
    TRY_ASSIGN(const ModelSpec spec, models::ParseSpec(name));
    const auto found = store.Find(spec);
    if (!found) {
      auto why = store.Resolve(name);
      return Fail(why ? Error{Errc::kNotFound, name + " was removed meanwhile"} : why.error());
    }
    const bool twice = std::any_of(chosen.begin(), chosen.end(), [&](const StoredModel& other) {
      return other.path == found->path;
    });
    if (!twice) chosen.push_back(*found);
  }
  StepLine line;
  TRY(models::WriteBundle(store, chosen, output, line.listener(), &InterruptToken()));
  for (const StoredModel& model : chosen)
    fmt::print("{}  {}\n", models::ToString(model.spec), FormatDecimal(model.bytes));
  return kOk;
}

Result<int> ReadBundle(const std::string& path) {
  TRY_ASSIGN(const Store store, Store::Open());
  StepLine line;
  TRY_ASSIGN(const models::Unbundled read,
             models::ReadBundle(store, path, line.listener(), &InterruptToken()));
  for (const ModelSpec& spec : read.already) Note(models::ToString(spec) + " is already installed");
  for (const StoredModel& model : read.added) PrintModel(model);
  return kOk;
}

}  // namespace

void AddModelsGet(Parser models, Action& chosen) {
  struct Options {
    std::vector<std::string> names;
    std::string source, name, preset, output, from;
    bool offline = false;
  };
  const auto options = std::make_shared<Options>();

  Parser pull = models.Add("pull", "Download published models.");
  pull.AddOption("NAME", options->names, "For example whisper-base or whisper-base:Q8_0")
      .Required();
  pull.AddFlag("--offline", options->offline, "Download nothing; fail if a model is not installed");
  pull.OnChosen(Runs(chosen, [options] {
    InterruptToken();
    return Pull(options->names, options->offline);
  }));

  Parser import =
      models.Add("import", "Import a model: CTranslate2 folder, safetensors, .bin or .gguf.");
  import.AddOption("SOURCE", options->source, "File or folder").Required();
  import.AddOption("--name", options->name, "Name for the model; default: the name in its file");
  import.OnChosen(Runs(chosen, [options] {
    InterruptToken();
    return Import(options->source, options->name);
  }));

  Parser quantize = models.Add("quantize", "Make a quantised copy of a model.");
  quantize.AddOption("NAME", options->name, "For example whisper-base or whisper-base:F16")
      .Required();
  quantize.AddOption("QUANTISATION", options->preset, "Q8_0, Q6_K, Q5_K_M or Q4_K_M").Required();
  quantize.OnChosen(Runs(chosen, [options] {
    InterruptToken();
    return Quantize(options->name, options->preset);
  }));

  Parser bundle = models.Add(
      "bundle", "Pack models into one file for a machine without internet, or unpack it there.");
  Option names =
      bundle.AddOption("NAME", options->names, "Models to pack; the VAD is always included");
  Option output = bundle.AddOption("-o,--output", options->output, "File to write");
  Option from = bundle.AddOption("--from", options->from, "File to unpack");
  names.Needs(output);
  output.Needs(names);
  from.Excludes(names).Excludes(output);
  bundle.OnChosen([options, &chosen] {
    if (options->from.empty() && options->output.empty())
      RefuseUsage("bundle", "needs NAME… -o FILE, or --from FILE");
    Runs(chosen, [options] {
      InterruptToken();
      return options->from.empty() ? WriteBundle(options->names, options->output)
                                   : ReadBundle(options->from);
    })();
  });
}

}  // namespace headroom::cli
