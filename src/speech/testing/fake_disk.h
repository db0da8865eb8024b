// A disk for tests: at a power cut any part of the unsynced data is lost; writes can be made to
// fail or tear; it can be full.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "speech/spool/block_file.h"

namespace headroom::speech {

/// The platters, which outlive the files opened on them.
struct FakeDisk {
  bool keep_synced = true;            // false: no CutPower will come
  std::vector<std::byte> bytes = {};  // as a reader sees them
  std::vector<std::byte> synced = {};
  std::int64_t room = std::int64_t{1} << 40;  // how large the file may become
  int operations = 0;                         // writes and syncs so far
  int fail_at = 0;                            // this operation, counted from 1, and all after it
  int fail_once_at = 0;                       // this operation only
  Errc failure = Errc::kIo;

  /// Of what was not synced each 512 bytes survive or not.
  void CutPower(std::mt19937& random) {
    std::vector<std::byte> after = synced;
    after.resize(bytes.size());
    constexpr std::size_t kSector = 512;
    for (std::size_t at = 0; at < bytes.size(); at += kSector) {
      const std::size_t size = std::min(kSector, bytes.size() - at);
      const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      if (random() % 2 != 0)
        std::copy_n(from, size, after.begin() + static_cast<std::ptrdiff_t>(at));
    }
    bytes = synced = std::move(after);
    operations = fail_at = fail_once_at = 0;
  }
};

class FakeFile : public BlockFile {
 public:
  explicit FakeFile(FakeDisk& disk) : disk_(disk) {}

  std::string name() const override { return "fake"; }
  std::int64_t size() const override { return static_cast<std::int64_t>(disk_.bytes.size()); }
  Result<> Resize(std::int64_t size) override {
    if (size > disk_.room) return Fail(Errc::kNoSpace, "fake: full");
    disk_.bytes.resize(static_cast<std::size_t>(size));
    return {};
  }
  Result<> Read(std::int64_t offset, std::span<std::byte> into) const override {
    if (offset + static_cast<std::int64_t>(into.size()) > size())
      return Fail(Errc::kIo, "fake: read past the end");
    std::copy_n(disk_.bytes.begin() + offset, into.size(), into.begin());
    return {};
  }
  Result<> Write(std::int64_t offset, std::span<const std::byte> some) override {
    if (offset + static_cast<std::int64_t>(some.size()) > size())
      return Fail(Errc::kIo, "fake: write past the end");
    const bool fails = Fails();
    // A write that fails may have been done in part.
    std::copy_n(some.begin(), fails ? some.size() / 3 : some.size(), disk_.bytes.begin() + offset);
    if (fails) return Fail(disk_.failure, "fake: scripted failure");
    return {};
  }
  Result<> Sync() override {
    if (Fails()) return Fail(disk_.failure, "fake: scripted failure");
    if (disk_.keep_synced) disk_.synced = disk_.bytes;
    return {};
  }

 private:
  bool Fails() {
    const int now = ++disk_.operations;
    return now == disk_.fail_once_at || (disk_.fail_at != 0 && now >= disk_.fail_at);
  }

  FakeDisk& disk_;
};

}  // namespace headroom::speech
