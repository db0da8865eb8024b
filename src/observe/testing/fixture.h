// For tests: a fake /proc and /sys in one expression, and NVIDIA's library as the test scripts it.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace headroom::probe {

/// Path (relative, folders are made) to content. "-> target" makes a symbolic link.
using Files = std::map<std::string, std::string>;

/// A folder of its own, removed with everything in it.
class FakeRoot {
 public:
  explicit FakeRoot(const Files& files = {});
  ~FakeRoot();
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ / name; }
  /// Overwrites in place, as the kernel's files change.
  void Write(const Files& files) const;
  void Remove(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

/// Notes which files of a folder are opened while it exists.
class Opened {
 public:
  explicit Opened(const std::string& folder);
  std::set<std::string> Names() const;

 private:
  Fd watch_;
};

/// A PCI display GPU under sys/bus/pci/devices.
Files PciGpu(const std::string& pci, const std::string& vendor,
             const std::string& runtime_status = "active", const std::string& control = "auto");

/// A script for fake_nvml (see fake_nvml.cc) and the calls that it saw.
class FakeNvml {
 public:
  explicit FakeNvml(std::string_view script) { Script(script); }
  void Script(std::string_view script) const { root_.Write({{"script", std::string(script)}}); }
  /// For the process that loads the library: HEADROOM_FAKE_NVML.
  std::pair<std::string, std::string> environment() const;
  std::vector<std::string> Calls() const;
  int Count(std::string_view call) const;

 private:
  FakeRoot root_;
};

/// The most that each parser's number may be, and one more than any.
inline constexpr const char* kHugeNumber = "99999999999999999999999";

}  // namespace headroom::probe
