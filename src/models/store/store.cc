#include "models/store/store.h"

#include <poll.h>

#include <algorithm>

#include "base/dirs.h"
#include "base/text.h"

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

constexpr int kLockPollMs = 100;
constexpr double kAsGoodAs = 1.02;

std::size_t Rank(std::string_view quantisation) {
  const auto order = QuantisationsByPreference();
  return static_cast<std::size_t>(std::find(order.begin(), order.end(), quantisation) -
                                  order.begin());
}

Result<fs::path> ResolvePath(std::string_view text) {
  const fs::path path(text);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    return Fail(Errc::kNotFound, "{}: no such file", Printable(text));
  if (fs::is_directory(status))
    return Fail(Errc::kInvalid, "{}: is a folder; 'headroom models import' makes a model of it",
                Printable(text));
  return path;
}

}  // namespace

Result<Store> Store::Open() {
  TRY_ASSIGN(Catalogue catalogue, LoadCatalogue());
  const fs::path chosen = Environment("HEADROOM_MODELS");
  return Store(chosen.empty() ? DataDir() / "models" : chosen, std::move(catalogue));
}

std::vector<StoredModel> Store::Here() const {
  std::vector<StoredModel> here;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;  // it may be deleted while we look
    auto spec = ParseStoreFileName(entry->path().filename().string());
    if (!spec || !entry->is_regular_file(gone) || gone) continue;
    const auto size = entry->file_size(gone);
    if (gone) continue;
    here.push_back({std::move(*spec), entry->path(), Bytes(static_cast<std::int64_t>(size))});
  }
  std::sort(here.begin(), here.end(), [](const StoredModel& a, const StoredModel& b) {
    return a.spec.name != b.spec.name ? a.spec.name < b.spec.name
                                      : Rank(a.spec.quantisation) < Rank(b.spec.quantisation);
  });
  return here;
}

std::vector<StoredModel> Store::Here(std::string_view name) const {
  std::vector<StoredModel> here = Here();
  std::erase_if(here, [&](const StoredModel& model) { return model.spec.name != name; });
  return here;
}

std::optional<StoredModel> Store::Find(const ModelSpec& spec) const {
  for (StoredModel& model : Here(spec.name)) {
    if (spec.quantisation.empty() || model.spec.quantisation == spec.quantisation)
      return std::move(model);
  }
  return std::nullopt;
}

std::optional<StoredModel> Store::ForCpu(std::string_view name,
                                         std::span<const std::string_view> fastest) const {
  std::vector<StoredModel> here = Here(name);
  if (here.empty()) return std::nullopt;
  const Model* const known = catalogue_.Find(name);
  const auto errors = [&](const StoredModel& model) -> std::optional<double> {
    const PublishedFile* file = known ? known->FileFor(model.spec.quantisation) : nullptr;
    return file ? file->wer_percent : std::nullopt;
  };
  std::optional<double> fewest;
  for (const StoredModel& model : here)
    if (const auto rate = errors(model); rate && (!fewest || *rate < *fewest)) fewest = rate;
  for (const std::string_view quantisation : fastest) {
    const auto found = std::ranges::find(
        here, quantisation, [](const StoredModel& model) { return model.spec.quantisation; });
    if (found == here.end() || !fewest) continue;
    if (errors(*found).value_or(100) <= *fewest * kAsGoodAs) return std::move(*found);
  }
  return std::move(here.front());
}

Result<> Store::CheckName(std::string_view name) const {
  if (const Model* known = catalogue_.Find(name)) {
    if (known->published) return {};
    return Fail(Errc::kUnsupported, "{} was never published{}", name,
                known->nearest.empty()
                    ? std::string()
                    : fmt::format("; the nearest that was is {}: headroom models pull {}",
                                  known->nearest, known->nearest));
  }
  std::vector<std::string> names;
  for (const Model& model : catalogue_.models) {
    if (model.published) names.push_back(model.name);
  }
  for (const StoredModel& model : Here()) {
    if (model.spec.name == name) return {};
    names.push_back(model.spec.name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const std::vector<std::string> near = NearestNames(name, names);
  if (near.empty())
    return Fail(Errc::kNotFound, "no model is called {}; 'headroom models list' shows them all",
                Printable(name));
  return Fail(Errc::kNotFound, "no model is called {}; near to it: {}", Printable(name),
              fmt::join(near, ", "));
}

Result<fs::path> Store::Resolve(std::string_view text) const {
  if (LooksLikePath(text)) return ResolvePath(text);
  TRY_ASSIGN(const ModelSpec spec, ParseSpec(text));
  if (const auto found = Find(spec)) return found->path;
  TRY(CheckName(spec.name));
  const std::vector<StoredModel> others = Here(spec.name);
  if (!others.empty())
    return Fail(Errc::kNotFound, "{} is here only as {}; get it with: headroom models pull {}",
                spec.name, others.front().spec.quantisation, ToString(spec));
  return Fail(Errc::kNotFound, "{} is not here yet; get it with: headroom models pull {}",
              ToString(spec), ToString(spec));
}

Result<fs::path> Store::ResolveDefault(std::span<const std::string_view> fastest) const {
  for (const std::string& name : catalogue_.defaults) {
    if (const auto found = ForCpu(name, fastest)) return found->path;
  }
  if (catalogue_.defaults.empty())
    return Fail(Errc::kNotFound, "no model was named and the catalogue has no default");
  return Fail(Errc::kNotFound, "no model is here yet; get one with: headroom models pull {}",
              catalogue_.defaults.front());
}

Result<fs::path> Store::ResolveVad() const {
  if (catalogue_.vad.empty())
    return Fail(Errc::kNotFound, "the catalogue names no voice activity model");
  return Resolve(catalogue_.vad);
}

fs::path Store::PathOf(const ModelSpec& spec) const {
  return folder_ / StoreFileName(spec);
}

Result<> Store::Prepare() const {
  auto made = MakeDirectories(folder_ / ".locks");
  if (!made) return Within(made, "the folder for models");
  return {};
}

Result<> Store::ChangeLock(const std::function<void(LockFile&)>& change) const {
  TRY(Prepare());
  TRY_ASSIGN(const FileLock alone, FileLock::Take(folder_ / ".locks/models.lock"));
  TRY_ASSIGN(LockFile lock, ReadLock());
  change(lock);
  return WriteFileAtomic(folder_ / "models.lock", Format(lock), 0644);
}

Result<> Store::Record(const ModelSpec& spec, std::string sha256, std::string source) const {
  std::error_code error;
  const auto size = fs::file_size(PathOf(spec), error);
  if (error) return FailErrno(error.value(), "{}", PathOf(spec).string());
  LockEntry entry{StoreFileName(spec), std::move(sha256), Bytes(static_cast<std::int64_t>(size)),
                  std::move(source), Rfc3339(SystemClock().WallNow())};
  return ChangeLock([&](LockFile& lock) { lock.Put(std::move(entry)); });
}

Result<FileLock> Store::LockModel(std::string_view name, CancelToken* cancel,
                                  const std::function<void()>& on_wait) const {
  TRY(Prepare());
  const fs::path path = folder_ / ".locks" / fmt::format("{}.lock", name);
  for (bool waited = false;; waited = true) {
    auto lock = FileLock::Try(path);
    if (lock || lock.error().code != Errc::kBusy) return lock;
    if (!waited && on_wait) on_wait();
    if (cancel && cancel->raised())
      return Fail(Errc::kCancelled, "stopped while waiting for another program that gets {}", name);
    pollfd wait{cancel ? cancel->fd() : -1, POLLIN, 0};
    ::poll(&wait, 1, kLockPollMs);
  }
}

Result<> Store::Remove(const ModelSpec& spec) const {
  const fs::path path = PathOf(spec);
  bool anything = false;
  for (const char* leftover : {"", ".part", ".part.json", ".import", ".bundle"}) {
    std::error_code error;
    anything |= fs::remove(path.string() + leftover, error);
    if (error) return FailErrno(error.value(), "delete {}{}", path.string(), leftover);
  }
  TRY_ASSIGN(const LockFile lock, ReadLock());
  if (lock.Find(StoreFileName(spec))) {
    anything = true;
    TRY(ChangeLock([&](LockFile& changed) { changed.Remove(StoreFileName(spec)); }));
  }
  if (!anything) return Fail(Errc::kNotFound, "{} is not here", ToString(spec));
  return {};
}

Result<fs::path> Resolve(std::string_view spec) {
  if (LooksLikePath(spec)) return ResolvePath(spec);
  TRY_ASSIGN(const Store store, Store::Open());
  return store.Resolve(spec);
}

Result<fs::path> ResolveDefault(std::span<const std::string_view> fastest) {
  TRY_ASSIGN(const Store store, Store::Open());
  return store.ResolveDefault(fastest);
}

Result<fs::path> ResolveVad() {
  TRY_ASSIGN(const Store store, Store::Open());
  return store.ResolveVad();
}

}  // namespace headroom::models
