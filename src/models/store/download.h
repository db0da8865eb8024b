// Fetches one file by HTTP into its final place: resumed where an earlier try ended, tried again
// with growing pauses, its SHA-256 checked against what the host declares and what we know.
//
// What has come so far lies in DESTINATION.part, and what it is a part of in DESTINATION.part.json.
// Both stay when the network or the user ends a download, and go in every other case.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "models/store/http.h"

namespace headroom::models {

struct DownloadRequest {
  std::string url;
  std::filesystem::path destination;
  std::string token;   // sent as a bearer token, and only to the origin of `url`; may be empty
  std::string sha256;  // what the file has to be; empty: only what the host declares counts
  Bytes limit;         // larger files are refused; zero: no limit
  /// Looks at the whole file before it gets its final name; may be empty.
  std::function<Result<>(const std::filesystem::path&)> accept;
};

struct DownloadOptions {
  HttpLimits limits;
  int tries = 5;  // in a row without a single new byte
  Milliseconds first_pause{500};
  Milliseconds longest_pause{30000};
  Bytes spare = MiB(64);  // has to stay free on the disk
  std::function<Result<Bytes>(const std::filesystem::path&)> free_space;  // empty: the real one
};

struct Downloaded {
  std::string sha256;
  bool declared = false;  // the host declared this sum
  Bytes bytes;
  Bytes resumed_from;
};

/// `total` is zero while unknown.
using OnDownloaded = std::function<void(Bytes done, Bytes total)>;

/// kNetwork: no answer, or given up. kNotFound: 404. kPermission: 401, 403 or a disk that is not
/// ours. kChecksum: another file than promised. kNoSpace before the first byte. Blocks; any thread.
Result<Downloaded> Download(const DownloadRequest& request, const DownloadOptions& options,
                            const OnDownloaded& on_progress, CancelToken* cancel);

}  // namespace headroom::models
