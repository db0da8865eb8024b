// Puts models into the store that come from files: imported, quantised, or found there. All of it
// holds the model's lock, and a file gets its final name only when it is whole and its sum is
// known. Blocks; any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "models/formats/import.h"
#include "models/formats/inspect.h"
#include "models/store/store.h"

namespace headroom::models {

/// What is going on, for a progress line.
struct Step {
  std::string what;   // "import whisper-base:F16"
  Bytes done, total;  // total zero: unknown
};
struct Listener {
  std::function<void(const Step&)> on_step;
  std::function<void(const std::string&)> on_note;  // a sentence for a person

  void Say(const std::string& note) const {
    if (on_note) on_note(note);
  }
  /// For Import and Quantize.
  OnImportProgress Under(std::string what) const;
};

/// Imports a file or folder under `name`, or under what the file calls itself when it is empty.
/// kExists when that model is there already.
Result<StoredModel> ImportInto(const Store& store, const std::filesystem::path& source,
                               const std::string& name, const Listener& listener,
                               CancelToken* cancel);

/// Makes a smaller copy of a model that is there: of `from`, or when its quantisation is empty of
/// the F16, F32 or BF16 one. Already there: just returned.
Result<StoredModel> QuantizeInto(const Store& store, const ModelSpec& from, std::string_view preset,
                                 const Listener& listener, CancelToken* cancel);

/// Gives a finished file its final name and entry. `fresh` is deleted when that fails. The caller
/// holds the model's lock.
Result<StoredModel> Settle(const Store& store, const std::filesystem::path& fresh,
                           const ModelSpec& spec, const std::string& source);

struct Verified {
  std::string sha256;
  bool recorded = true;  // false: it had no entry in models.lock, and has one now
  ModelHeader header;
};
/// Reads the whole file again. kChecksum: changed since it came; kCorrupt: not a whole model.
Result<Verified> Verify(const Store& store, const StoredModel& model, const Listener& listener,
                        CancelToken* cancel);

/// A file's SHA-256, with progress.
Result<std::string> Sum(const std::filesystem::path& path, const std::string& what,
                        const Listener& listener, CancelToken* cancel);

}  // namespace headroom::models
