// One tar with models in it, for machines without the internet. Its first member is bundle.toml, in
// the format of models.lock; then every file it names. docs/models.md describes it.
#pragma once

#include <filesystem>
#include <vector>

#include "models/store/add.h"
#include "models/store/store.h"

namespace headroom::models {

/// Writes the models to `path`, whole or not at all; their sums are checked on the way. Blocks.
Result<> WriteBundle(const Store& store, const std::vector<StoredModel>& models,
                     const std::filesystem::path& path, const Listener& listener,
                     CancelToken* cancel);

struct Unbundled {
  std::vector<StoredModel> added;
  std::vector<ModelSpec> already;  // the same bytes were there
};
/// Reads one into the store. Every file is checked before it gets its name; those before a broken
/// one stay. kCorrupt: not such a bundle. kExists: another file of that name is here.
Result<Unbundled> ReadBundle(const Store& store, const std::filesystem::path& path,
                             const Listener& listener, CancelToken* cancel);

}  // namespace headroom::models
