// The folder with the model files, and how a name becomes one of them. Readers need no lock: a file
// under its final name is whole. Writers hold the model's lock (LockModel) and change models.lock
// under the store's own. Any thread; several processes may use one folder.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "models/store/catalogue.h"
#include "models/store/lock_file.h"
#include "models/store/names.h"

namespace headroom::models {

/// A model file that is there.
struct StoredModel {
  ModelSpec spec;
  std::filesystem::path path;
  Bytes bytes;
};

class Store {
 public:
  /// The user's folder ($HEADROOM_MODELS, else models/ in the data folder) and catalogue.
  static Result<Store> Open();
  Store(std::filesystem::path folder, Catalogue catalogue)
      : folder_(std::move(folder)), catalogue_(std::move(catalogue)) {}

  /// Every model file in the folder, by name and then by preference.
  std::vector<StoredModel> Here() const;
  /// Those of one name, the preferred one first.
  std::vector<StoredModel> Here(std::string_view name) const;
  std::optional<StoredModel> Find(const ModelSpec& spec) const;
  /// The file of this name to run on the CPU: the first of the quantisations `fastest` whose
  /// published word error rate is at most a fiftieth above the best of those that are here.
  std::optional<StoredModel> ForCpu(std::string_view name,
                                    std::span<const std::string_view> fastest) const;

  /// A name, name:quantisation, or the path of a file that exists. kNotFound says what to do.
  Result<std::filesystem::path> Resolve(std::string_view spec) const;
  /// The first of the catalogue's defaults that is here, as ForCpu.
  Result<std::filesystem::path> ResolveDefault(std::span<const std::string_view> fastest) const;
  /// The voice activity model.
  Result<std::filesystem::path> ResolveVad() const;

  /// kNotFound for a name that neither the catalogue nor the folder knows, with the nearest ones;
  /// kUnsupported for one that was never published.
  Result<> CheckName(std::string_view name) const;

  /// Where the file of this model is or would be.
  std::filesystem::path PathOf(const ModelSpec& spec) const;

  Result<LockFile> ReadLock() const { return ReadLockFile(folder_ / "models.lock"); }
  /// Reads models.lock, lets `change` work on it and writes it back, alone.
  Result<> ChangeLock(const std::function<void(LockFile&)>& change) const;
  /// Notes what the file is from now on. Its size is taken from the file itself.
  Result<> Record(const ModelSpec& spec, std::string sha256, std::string source) const;

  /// Makes the folder. kPermission for one that cannot be written.
  Result<> Prepare() const;
  /// One writer per model. Waits for another one, calling `on_wait` once; kCancelled by `cancel`.
  Result<FileLock> LockModel(std::string_view name, CancelToken* cancel,
                             const std::function<void()>& on_wait = {}) const;

  /// Deletes the file, what is left of its downloads, and its entry. kNotFound: there was nothing.
  Result<> Remove(const ModelSpec& spec) const;

  const std::filesystem::path& folder() const { return folder_; }
  const Catalogue& catalogue() const { return catalogue_; }

 private:
  std::filesystem::path folder_;
  Catalogue catalogue_;
};

/// As the methods, on the user's own store.
Result<std::filesystem::path> Resolve(std::string_view spec);
Result<std::filesystem::path> ResolveDefault(std::span<const std::string_view> fastest);
Result<std::filesystem::path> ResolveVad();

}  // namespace headroom::models
