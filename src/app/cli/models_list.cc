// headroom models list | info: the known and the installed models.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/models_commands.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "base/text.h"
#include "models/formats/inspect.h"
#include "models/store/store.h"

namespace headroom::cli {
namespace {

using models::Model;
using models::ModelSpec;
using models::PublishedFile;
using models::Store;
using models::StoredModel;
using nlohmann::json;

std::string Dump(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string Wer(const PublishedFile* file) {
  return file && file->wer_percent ? fmt::format("{:.2f} %", *file->wer_percent) : "-";
}

std::string Quantisations(const std::vector<StoredModel>& here) {
  std::string all;
  for (const StoredModel& model : here) all += (all.empty() ? "" : ", ") + model.spec.quantisation;
  return all;
}

struct Row {
  std::string name, quantisation, size, languages, wer, here;
};

void PrintTable(const std::vector<Row>& rows) {
  std::size_t name = 0, here = 0;
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    here = std::max(here, row.here.size());
  }
  for (const Row& row : rows)
    fmt::print("{:<{}}  {:<7} {:>9}  {:>9}  {:>7}  {}\n", row.name, name, row.quantisation,
               row.size, row.languages, row.wer, row.here);
}

// One row per model, with the quantisation that is used or, if none is installed, pulled.
Row RowFor(const Store& store, const Model& model) {
  const std::vector<StoredModel> here = store.Here(model.name);
  const bool is_here = !here.empty();
  const std::string quantisation =
      is_here ? here.front().spec.quantisation : model.default_quantisation;
  const PublishedFile* file = model.FileFor(quantisation);
  std::string size = is_here ? FormatDecimal(here.front().bytes)
                     : file  ? "~" + FormatDecimal(file->size)
                             : "-";
  std::string languages = std::to_string(model.languages.size());
  if (model.languages.size() == 1) languages = model.languages.front();
  if (model.languages.empty()) languages = "-";
  return {model.name,           quantisation, std::move(size),
          std::move(languages), Wer(file),    is_here ? Quantisations(here) : "-"};
}

json FileJson(const Store& store, const Model& model, const std::string& quantisation) {
  const PublishedFile* published = model.FileFor(quantisation);
  const auto here = store.Find({model.name, quantisation});
  json file = {{"quantisation", quantisation}, {"here", here.has_value()}};
  if (published) file["published_bytes"] = published->size.n;
  if (published && published->wer_percent) file["wer_percent"] = *published->wer_percent;
  if (here) {
    file["bytes"] = here->bytes.n;
    file["path"] = here->path.string();
  }
  return file;
}

json ModelJson(const Store& store, const Model& model) {
  json value = {{"name", model.name},           {"family", model.family},
                {"role", model.role},           {"licence", model.licence},
                {"languages", model.languages}, {"features", model.features},
                {"published", model.published}, {"files", json::array()}};
  if (!model.repository.empty()) value["repository"] = model.repository;
  if (!model.nearest.empty()) value["nearest"] = model.nearest;
  if (model.published) {
    value["default"] = model.default_quantisation;
    value["package"] = model.package.has_value();
  }
  for (const PublishedFile& file : model.files)
    value["files"].push_back(FileJson(store, model, file.quantisation));
  for (const StoredModel& here : store.Here(model.name)) {
    if (!model.FileFor(here.spec.quantisation))
      value["files"].push_back(FileJson(store, model, here.spec.quantisation));
  }
  return value;
}

// Models in the folder that are not in the catalogue, which were imported.
std::vector<Model> OwnModels(const Store& store) {
  std::vector<Model> own;
  for (const StoredModel& here : store.Here()) {
    if (store.catalogue().Find(here.spec.name)) continue;
    if (!own.empty() && own.back().name == here.spec.name) continue;
    Model model;
    model.name = here.spec.name;
    model.default_quantisation = here.spec.quantisation;
    if (auto header = models::Inspect(here.path)) {
      model.family = header->architecture;
      model.languages = header->languages;
    }
    own.push_back(std::move(model));
  }
  return own;
}

Result<int> List(bool only_here, bool as_json) {
  TRY_ASSIGN(const Store store, Store::Open());
  std::vector<Model> all = OwnModels(store);
  all.insert(all.begin(), store.catalogue().models.begin(), store.catalogue().models.end());
  std::erase_if(all, [&](const Model& model) {
    return (only_here && store.Here(model.name).empty()) || (!as_json && !model.published);
  });
  if (as_json) {
    json list = {{"folder", store.folder().string()},
                 {"wer_source", store.catalogue().wer_source},
                 {"models", json::array()}};
    for (const Model& model : all) list["models"].push_back(ModelJson(store, model));
    fmt::print("{}\n", Dump(list));
    return kOk;
  }
  if (all.empty()) {
    Note("no model is installed; get one with: headroom models pull whisper-base");
    return kOk;
  }
  std::vector<Row> rows = {{"MODEL", "QUANT", "SIZE", "LANGUAGES", "WER", "HERE"}};
  for (const Model& model : all) rows.push_back(RowFor(store, model));
  PrintTable(rows);
  fmt::print("\n~ published size. WER (word error rate): {}.\n", store.catalogue().wer_source);
  return kOk;
}

void PrintField(std::string_view key, const std::string& value) {
  if (!value.empty()) fmt::print("{:<14}{}\n", key, Printable(value));
}

json HeaderJson(const models::ModelHeader& header) {
  return {{"format", models::Name(header.format)},
          {"architecture", header.architecture},
          {"variant", header.variant},
          {"quantisation", header.quantisation},
          {"tensors", header.tensors},
          {"parameters", header.parameters},
          {"bytes", header.size.n},
          {"languages", header.languages}};
}

int InfoOfFile(const models::ModelHeader& header, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", Dump(HeaderJson(header)));
    return kOk;
  }
  PrintField("format", std::string(models::Name(header.format)));
  PrintField("architecture", header.architecture);
  PrintField("variant", header.variant);
  PrintField("quantisation", header.quantisation);
  PrintField("parameters",
             fmt::format("{:.1f} million in {} tensors",
                         static_cast<double>(header.parameters) / 1e6, header.tensors));
  PrintField("size", FormatDecimal(header.size));
  PrintField("languages", fmt::format("{}", fmt::join(header.languages, " ")));
  return kOk;
}

void PrintModelInfo(const Store& store, const Model& model) {
  PrintField("name", model.name);
  PrintField("family", model.family);
  PrintField("use", model.role == "vad" ? "finds speech in audio" : "turns speech into text");
  PrintField("licence", model.licence);
  PrintField("languages", fmt::format("{}", fmt::join(model.languages, " ")));
  PrintField("features", fmt::format("{}", fmt::join(model.features, ", ")));
  PrintField("hub", model.repository);
  if (model.package) {
    PrintField("package",
               fmt::format("{} (contains {}, about {} to download)",
                           model.package->files.front().parts.front().package,
                           model.package->quantisation, FormatDecimal(model.package->download)));
  }
  fmt::print("\n{:<8} {:>9}  {:>7}  HERE\n", "QUANT", "SIZE", "WER");
  std::vector<std::string> quantisations;
  for (const PublishedFile& file : model.files) quantisations.push_back(file.quantisation);
  for (const StoredModel& here : store.Here(model.name)) {
    if (!model.FileFor(here.spec.quantisation)) quantisations.push_back(here.spec.quantisation);
  }
  for (const std::string& quantisation : quantisations) {
    const PublishedFile* file = model.FileFor(quantisation);
    const auto here = store.Find({model.name, quantisation});
    fmt::print("{:<8} {:>9}  {:>7}  {}\n", quantisation,
               here ? FormatDecimal(here->bytes) : "~" + FormatDecimal(file->size), Wer(file),
               here ? here->path.string() : "-");
  }
  fmt::print("\n~ published size. WER (word error rate): {}.\n", store.catalogue().wer_source);
}

Result<int> Info(const std::string& name, bool as_json) {
  if (models::LooksLikePath(name)) {
    TRY_ASSIGN(const std::filesystem::path path, models::Resolve(name));
    TRY_ASSIGN(const models::ModelHeader header, models::Inspect(path));
    return InfoOfFile(header, as_json);
  }
  TRY_ASSIGN(const Store store, Store::Open());
  TRY_ASSIGN(const ModelSpec spec, models::ParseSpec(name));
  const Model* model = store.catalogue().Find(spec.name);
  if (model && !model->published && as_json) {
    fmt::print("{}\n", Dump(ModelJson(store, *model)));
    return kOk;
  }
  TRY(store.CheckName(spec.name));
  if (!model) {
    TRY_ASSIGN(const std::filesystem::path path, store.Resolve(name));
    TRY_ASSIGN(const models::ModelHeader header, models::Inspect(path));
    return InfoOfFile(header, as_json);
  }
  if (as_json)
    fmt::print("{}\n", Dump(ModelJson(store, *model)));
  else
    PrintModelInfo(store, *model);
  return kOk;
}

}  // namespace

void AddModelsList(Parser models, Action& chosen) {
  struct Options {
    std::string name;
    bool here = false, json = false;
  };
  const auto options = std::make_shared<Options>();

  Parser list = models.Add("list", "List known models and which of them are installed.");
  list.AddFlag("--here", options->here, "Only installed models");
  list.AddFlag("--json", options->json, "Print JSON");
  list.OnChosen(Runs(chosen, [=] { return List(options->here, options->json); }));

  Parser info = models.Add("info", "Show everything about one model.");
  info.AddOption("NAME", options->name, "Name of a model, or path of a model file").Required();
  info.AddFlag("--json", options->json, "Print JSON");
  info.OnChosen(Runs(chosen, [=] { return Info(options->name, options->json); }));
}

}  // namespace headroom::cli
