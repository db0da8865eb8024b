#include "models/store/catalogue.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "models/store/names.h"

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

using LanguageSets = std::map<std::string, std::vector<std::string>>;

bool IsSha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// The name goes onto a command line: nothing in it may look like an option, an address or a path.
bool IsExactPackage(std::string_view text) {
  const std::size_t equals = text.find("==");
  return equals != std::string_view::npos && IsModelName(text.substr(0, equals)) &&
         IsModelName(text.substr(equals + 2));
}

bool IsRepository(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && IsModelName(text.substr(0, slash)) &&
         IsModelName(text.substr(slash + 1));
}

// Reads typed values out of one TOML file.
class Reader : TomlReader {
 public:
  explicit Reader(const std::string& origin) : TomlReader(origin) {}

  // An absent key gives an empty string.
  Result<std::string> Text(const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (!node) return std::string();
    const auto* value = node->as_string();
    if (!value) return Wrong(*node, fmt::format("\"{}\" has to be text in quotes", key));
    return value->get();
  }
  Result<std::string> RequiredText(const toml::table& table, std::string_view key) const {
    TRY_ASSIGN(std::string text, Text(table, key));
    if (text.empty()) return Wrong(table, fmt::format("\"{}\" is missing", key));
    return text;
  }

  // An absent key gives no elements.
  Result<std::vector<std::string>> Texts(const toml::table& table, std::string_view key) const {
    std::vector<std::string> texts;
    const toml::node* node = table.get(key);
    if (!node) return texts;
    const auto* array = node->as_array();
    if (!array) return Wrong(*node, fmt::format("\"{}\" has to be a list of texts", key));
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (!text) return Wrong(element, fmt::format("\"{}\" has to be a list of texts", key));
      texts.push_back(text->get());
    }
    return texts;
  }

  Result<std::vector<const toml::table*>> Tables(const toml::table& table,
                                                 std::string_view key) const {
    std::vector<const toml::table*> tables;
    const toml::node* node = table.get(key);
    if (!node) return tables;
    const auto* array = node->as_array();
    if (!array) return Wrong(*node, fmt::format("\"{}\" has to be a list of tables", key));
    for (const toml::node& element : *array) {
      if (!element.is_table())
        return Wrong(element, fmt::format("\"{}\" has to be a list of tables", key));
      tables.push_back(element.as_table());
    }
    return tables;
  }

  // "1.05 GB" or a whole number of bytes; an absent key gives zero.
  Result<Bytes> Size(const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (!node) return Bytes(0);
    if (const auto* number = node->as_integer(); number && number->get() >= 0)
      return Bytes(number->get());
    if (const auto* text = node->as_string()) {
      if (auto bytes = ParseBytes(text->get())) return bytes;
    }
    return Wrong(*node, fmt::format("\"{}\" has to be a size such as \"1.05 GB\"", key));
  }

  Result<std::string> Quantisation(const toml::table& table, std::string_view key) const {
    TRY_ASSIGN(const std::string text, RequiredText(table, key));
    const auto canonical = CanonicalQuantisation(text);
    if (canonical != text)
      return Wrong(*table.get(key),
                   fmt::format("\"{}\" is not a quantisation; there are {}", Printable(text),
                               fmt::join(QuantisationsByPreference(), ", ")));
    return text;
  }

  Result<PublishedFile> File(const toml::table& table, const std::string& model) const {
    TRY(OnlyKeys(table, {"quantisation", "file", "size", "wer"}));
    PublishedFile file;
    TRY_ASSIGN(file.quantisation, Quantisation(table, "quantisation"));
    TRY_ASSIGN(file.file, Text(table, "file"));
    if (file.file.empty()) file.file = StoreFileName({model, file.quantisation});
    if (!IsModelName(file.file)) return Wrong(table, "\"file\" has to be a plain file name");
    TRY_ASSIGN(file.size, Size(table, "size"));
    if (const toml::node* wer = table.get("wer")) {
      file.wer_percent = wer->value<double>();
      if (!file.wer_percent || !(*file.wer_percent >= 0 && *file.wer_percent <= 100))
        return Wrong(*wer, "\"wer\" has to be a number of percent");
    }
    return file;
  }

  Result<PackageFile> FileFromPackages(const toml::table& table) const {
    TRY(OnlyKeys(table, {"name", "bytes", "sha256", "parts"}));
    PackageFile file;
    TRY_ASSIGN(file.name, RequiredText(table, "name"));
    if (!IsModelName(file.name)) return Wrong(table, "\"name\" has to be a plain file name");
    TRY_ASSIGN(file.bytes, Size(table, "bytes"));
    if (file.bytes <= Bytes(0)) return Wrong(table, "\"bytes\" is missing");
    TRY_ASSIGN(file.sha256, RequiredText(table, "sha256"));
    if (!IsSha256(file.sha256))
      return Wrong(table, "\"sha256\" has to be 64 lower-case hexadecimal digits");
    TRY_ASSIGN(const auto parts, Tables(table, "parts"));
    for (const toml::table* from : parts) {
      TRY(OnlyKeys(*from, {"package", "member"}));
      PackagePart part;
      TRY_ASSIGN(part.package, RequiredText(*from, "package"));
      if (!IsExactPackage(part.package))
        return Wrong(*from, "\"package\" has to be of the form name==version");
      TRY_ASSIGN(part.member, RequiredText(*from, "member"));
      file.parts.push_back(std::move(part));
    }
    if (file.parts.empty()) return Wrong(table, "\"parts\" is missing");
    return file;
  }

  Result<PackageSource> Package(const toml::table& table) const {
    TRY(OnlyKeys(table, {"quantisation", "download", "file"}));
    PackageSource package;
    TRY_ASSIGN(package.quantisation, Quantisation(table, "quantisation"));
    TRY_ASSIGN(package.download, Size(table, "download"));
    TRY_ASSIGN(const auto files, Tables(table, "file"));
    for (const toml::table* from : files) {
      TRY_ASSIGN(PackageFile file, FileFromPackages(*from));
      package.files.push_back(std::move(file));
    }
    if (package.files.empty()) return Wrong(table, "[[model.package.file]] is missing");
    return package;
  }

  Result<std::vector<std::string>> Languages(const toml::table& table,
                                             const LanguageSets& sets) const {
    const toml::node* node = table.get("languages");
    if (!node || !node->is_string()) return Texts(table, "languages");
    const auto named = sets.find(node->as_string()->get());
    if (named == sets.end())
      return Wrong(*node, fmt::format("[languages] has no list \"{}\"",
                                      Printable(node->as_string()->get())));
    return named->second;
  }

  Result<Model> OneModel(const toml::table& table, const LanguageSets& sets) const {
    TRY(OnlyKeys(table, {"name", "family", "role", "repository", "licence", "languages", "features",
                         "default", "files", "package", "published", "nearest"}));
    Model model;
    TRY_ASSIGN(model.name, RequiredText(table, "name"));
    if (!IsModelName(model.name))
      return Wrong(table, fmt::format("\"{}\" is not a model's name", Printable(model.name)));
    TRY_ASSIGN(model.family, RequiredText(table, "family"));
    TRY_ASSIGN(std::string role, Text(table, "role"));
    if (!role.empty()) model.role = std::move(role);
    if (model.role != "speech" && model.role != "vad")
      return Wrong(table, "\"role\" has to be \"speech\" or \"vad\"");
    TRY_ASSIGN(model.nearest, Text(table, "nearest"));
    if (const toml::node* published = table.get("published")) {
      if (!published->is_boolean()) return Wrong(*published, "\"published\" is true or false");
      model.published = published->as_boolean()->get();
    }
    TRY_ASSIGN(model.repository, Text(table, "repository"));
    if (!model.repository.empty() && !IsRepository(model.repository))
      return Wrong(table, "\"repository\" has to be of the form owner/name");
    TRY_ASSIGN(model.licence, Text(table, "licence"));
    TRY_ASSIGN(model.languages, Languages(table, sets));
    TRY_ASSIGN(model.features, Texts(table, "features"));
    for (const std::string& feature : model.features) {
      const auto& known = KnownFeatures();
      if (std::find(known.begin(), known.end(), feature) == known.end())
        return Wrong(*table.get("features"),
                     fmt::format("unknown feature \"{}\"; there are {}", Printable(feature),
                                 fmt::join(known, ", ")));
    }
    TRY_ASSIGN(const auto files, Tables(table, "files"));
    for (const toml::table* from : files) {
      TRY_ASSIGN(PublishedFile file, File(*from, model.name));
      if (model.FileFor(file.quantisation))
        return Wrong(*from, fmt::format("{} is there twice", file.quantisation));
      model.files.push_back(std::move(file));
    }
    if (const toml::node* package = table.get("package")) {
      if (!package->is_table()) return Wrong(*package, "[model.package] has to be a table");
      TRY_ASSIGN(model.package, Package(*package->as_table()));
    }
    if (!model.published) return model;
    if (model.files.empty() && !model.package)
      return Wrong(table, fmt::format("{} has neither \"files\" nor a package", model.name));
    if (!model.files.empty()) {
      if (model.repository.empty()) return Wrong(table, "\"repository\" is missing");
      TRY_ASSIGN(model.default_quantisation, Quantisation(table, "default"));
      if (!model.FileFor(model.default_quantisation))
        return Wrong(*table.get("default"), "\"default\" is not among the files");
    } else {
      model.default_quantisation = model.package->quantisation;
    }
    return model;
  }

  Result<Catalogue> All(const toml::table& table) const {
    TRY(OnlyKeys(table,
                 {"wer_source", "defaults", "cpu", "processor", "vad", "languages", "model"}));
    Catalogue catalogue;
    TRY_ASSIGN(catalogue.wer_source, Text(table, "wer_source"));
    TRY_ASSIGN(catalogue.defaults, Texts(table, "defaults"));
    // "processor" is the earlier name of the key.
    TRY_ASSIGN(catalogue.cpu, Texts(table, table.contains("cpu") ? "cpu" : "processor"));
    TRY_ASSIGN(catalogue.vad, Text(table, "vad"));
    LanguageSets sets;
    if (const toml::node* languages = table.get("languages")) {
      if (!languages->is_table()) return Wrong(*languages, "[languages] has to be a table");
      for (const auto& [key, node] : *languages->as_table()) {
        TRY_ASSIGN(sets[std::string(key.str())], Texts(*languages->as_table(), key.str()));
      }
    }
    TRY_ASSIGN(const auto models, Tables(table, "model"));
    for (const toml::table* from : models) {
      TRY_ASSIGN(Model model, OneModel(*from, sets));
      if (catalogue.Find(model.name))
        return Wrong(*from, fmt::format("{} is there twice", model.name));
      catalogue.models.push_back(std::move(model));
    }
    return catalogue;
  }
};

}  // namespace

const PublishedFile* Model::FileFor(std::string_view quantisation) const {
  for (const PublishedFile& file : files) {
    if (file.quantisation == quantisation) return &file;
  }
  return nullptr;
}

bool Model::HasFeature(std::string_view feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

const Model* Catalogue::Find(std::string_view name) const {
  for (const Model& model : models) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

std::vector<std::string> Catalogue::Names() const {
  std::vector<std::string> names;
  for (const Model& model : models) names.push_back(model.name);
  return names;
}

const std::vector<std::string>& KnownFeatures() {
  static const std::vector<std::string> known = {"word_times",         "segment_times", "streaming",
                                                 "vocabulary",         "prompt",        "prefix",
                                                 "language_detection", "translation"};
  return known;
}

Result<Catalogue> ParseCatalogue(std::string_view text, const std::string& origin) {
  TRY_ASSIGN(const toml::table table, ParseToml(text, origin));
  return Reader(origin).All(table);
}

Catalogue Merge(Catalogue base, Catalogue extra) {
  for (Model& model : extra.models) {
    const auto same = std::find_if(base.models.begin(), base.models.end(),
                                   [&](const Model& old) { return old.name == model.name; });
    if (same != base.models.end())
      *same = std::move(model);
    else
      base.models.push_back(std::move(model));
  }
  if (!extra.defaults.empty() || !extra.cpu.empty()) base.cpu = std::move(extra.cpu);
  if (!extra.defaults.empty()) base.defaults = std::move(extra.defaults);
  if (!extra.vad.empty()) base.vad = std::move(extra.vad);
  return base;
}

Result<Catalogue> LoadCatalogue() {
  TRY_ASSIGN(const fs::path shipped, FindShared("catalogue.toml"));
  TRY_ASSIGN(const std::string text, ReadFile(shipped));
  TRY_ASSIGN(Catalogue catalogue, ParseCatalogue(text, shipped.string()));
  const fs::path own = ConfigDir() / "models.toml";
  const auto own_text = ReadFile(own);
  if (!own_text) {
    if (own_text.error().code == Errc::kNotFound) return catalogue;
    return Fail(own_text.error());
  }
  TRY_ASSIGN(Catalogue extra, ParseCatalogue(*own_text, own.string()));
  return Merge(std::move(catalogue), std::move(extra));
}

}  // namespace headroom::models
