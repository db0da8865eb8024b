// SHA-256 of memory and files (FIPS 180-4; OpenSSL does the work).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"

namespace headroom {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Add(std::span<const std::byte> bytes);
  /// 64 lower-case hex digits. Call once.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Result<std::string> Sha256OfFile(const std::filesystem::path& path);

}  // namespace headroom
