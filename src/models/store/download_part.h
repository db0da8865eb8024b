// The half-fetched file of a download: its bytes, their running SHA-256, and what they are part of.
// One thread; the caller holds the model's lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"

namespace headroom::models {

/// What a half-fetched file is part of, as its host said.
struct PartIdentity {
  std::string url;
  std::string etag;    // of the host that sent the bytes; empty: it sent none
  std::string sha256;  // declared; empty: none was
  Bytes total;         // zero: unknown

  bool operator==(const PartIdentity&) const = default;
};

class DownloadPart {
 public:
  /// Opens what an earlier try for `url` left, or starts over.
  static Result<DownloadPart> Open(const std::filesystem::path& destination,
                                   const std::string& url);

  Bytes size() const { return size_; }
  const PartIdentity& identity() const { return identity_; }
  const std::filesystem::path& path() const { return path_; }

  /// Notes what the bytes to come belong to.
  Result<> Identify(const PartIdentity& identity);
  /// Forgets all bytes.
  Result<> Restart();
  Result<> Append(std::span<const std::byte> bytes);
  /// Syncs and returns the sum of everything. Call once.
  Result<std::string> Finish();
  /// The part under its final name.
  Result<> MoveTo(const std::filesystem::path& destination);
  /// Deletes everything.
  void Discard();

 private:
  explicit DownloadPart(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path note() const { return path_.string() + ".json"; }
  Result<> HashWhatIsThere();

  std::filesystem::path path_;
  Fd fd_;
  Bytes size_;
  PartIdentity identity_;
  std::unique_ptr<Sha256> sum_;
};

}  // namespace headroom::models
